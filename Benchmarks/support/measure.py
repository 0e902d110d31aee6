"""Taking and summing up measurements."""

import os
import statistics
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MEBIBYTE = 1 << 20


def run_timed(command, environment, directory):
    """Runs a program to its end; returns its exit status and the seconds from just before its start until it is
    reaped. posix_spawn, because a fork of this interpreter takes longer than some of what is measured."""
    os.chdir(directory)
    actions = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    begin = time.perf_counter()
    process = os.posix_spawn(command[0], command, environment, file_actions=actions)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - begin


def interleave(repetitions, *steps):
    """Runs the steps in turn, the given number of times; returns one list of results for each. What disturbs the
    machine for a while then disturbs all of them; the order alternates, so that none always follows the same one."""
    results = [[] for _ in steps]
    for repetition in range(repetitions):
        order = range(len(steps)) if repetition % 2 == 0 else reversed(range(len(steps)))
        for index in order:
            results[index].append(steps[index]())
    return results


def median(values):
    return statistics.median(values)


def paired_ratio(ours, theirs):
    """The median of the ratios of rounds. What disturbs the machine for longer than one round is in neither."""
    return median([one / other for one, other in zip(ours, theirs)])


def cpu_seconds(processes):
    """Processor time the processes have used so far, user and system."""
    ticks = 0
    for process in processes:
        with open(f"/proc/{process}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def peak_memory(process):
    """The largest resident size of a process so far, in MiB."""
    with open(f"/proc/{process}/status") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

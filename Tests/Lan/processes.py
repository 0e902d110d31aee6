"""Programs that run beside the tests, each ended by its own process id."""

import os
import subprocess
import tempfile
import time
from typing import NamedTuple

from namespaces import WITH_PARENT

# What takes longer hangs: the machine may be busy with other things.
PATIENCE = 60


class Failure(Exception):
    """A program did not do what the laboratory needs of it."""


class Running:
    """A program that was started. What it prints is kept in a file that has no name, so that none is left behind."""

    def __init__(self, command, input=None, **settings):
        self.command = command
        self.output_file = tempfile.TemporaryFile()
        # A session of its own: Ctrl-C reaches only the tests, which then end everything in order.
        self.process = subprocess.Popen(
            [*WITH_PARENT, *command], stdin=subprocess.DEVNULL if input is None else input, stdout=self.output_file,
            stderr=subprocess.STDOUT, start_new_session=True, **settings)

    @property
    def output(self):
        if self.output_file.closed:
            return self.last_output
        size = os.fstat(self.output_file.fileno()).st_size
        return os.pread(self.output_file.fileno(), size, 0).decode(errors="replace")

    @property
    def is_running(self):
        return self.process.poll() is None

    def wait(self, patience=PATIENCE):
        """The exit status."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Failure(f"{' '.join(map(str, self.command))} did not end within {patience} s:\n{self.output}")

    def wait_for(self, text, patience=PATIENCE):
        """Waits until the program has printed `text`."""
        eventually(lambda: text in self.output or not self.is_running, f"'{text}' of {self.command}", patience)
        if text not in self.output:
            raise Failure(f"{' '.join(map(str, self.command))} ended:\n{self.output}")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.last_output = self.output
        self.output_file.close()


def is_running(process):
    """Whether a process has not ended. A program loses its name before it lets go of its files; one that has ended may
    stay as a zombie, and so may its first thread before the others have ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
        return state != "Z" or len(os.listdir(f"/proc/{process}/task")) > 1
    except OSError:
        return False


def eventually(condition, what, patience=PATIENCE):
    """Waits until the condition holds; returns what it returned."""
    deadline = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {patience} s")
        time.sleep(0.005)
    return result


class Outcome(NamedTuple):
    """How a program ended, and what it printed."""

    status: int
    output: str
    errors: str
    seconds: float


def attempt(command, patience=PATIENCE, **settings):
    """Runs a program to its end, however that is."""
    begin = time.perf_counter()
    try:
        result = subprocess.run(
            [*WITH_PARENT, *map(str, command)], capture_output=True, text=True, errors="replace", timeout=patience,
            **settings)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{' '.join(map(str, command))} did not end within {patience} s:\n{late.stdout}{late.stderr}")
    return Outcome(result.returncode, result.stdout, result.stderr, time.perf_counter() - begin)


def run(command, **settings):
    """Runs a program and returns what it printed; what fails is an error that shows more."""
    outcome = attempt(command, **settings)
    if outcome.status != 0:
        raise Failure(
            f"{' '.join(map(str, command))}: status {outcome.status}\n{outcome.output}{outcome.errors}")
    return outcome.output

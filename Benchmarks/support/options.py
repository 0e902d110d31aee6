"""The command line that all benchmarks have."""

import argparse

from support import report, tools


def parser(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to see that it works, not to publish")
    parser.add_argument(
        "--ccache", action="append", default=[], metavar="DIR",
        help="measure with the ccache in DIR, too; default: the directories in FABRIK_BENCH_CCACHE")
    return parser


def run_alone(measure, description):
    """The main function of a benchmark that is run by itself."""

    def main():
        options = parser(description).parse_args()
        print(report.table(measure(options)))

    tools.guarded(main)

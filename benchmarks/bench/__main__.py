"""The command line of `make bench` and `make bench-compare`.

    python -m bench run [--full] [--only NAME ...] [--out FILE]   # in benchmarks/
    python -m bench compare FILE                                  # with the committed reports/bench.json

Measures that lack their data are named with the command that makes them, and left out.
"""

import argparse
import sys
from pathlib import Path

from bench import comparison, runner
from bench.measures import MEASURES
from bench.results import read_report
from bench.setting import BENCHMARKS, ROOT, Setting

REFERENCE = BENCHMARKS / "reports/bench.json"
QUICK_MINUTES = 8.5  # after which the quick form starts no measure; it ends within ten


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="run|compare")
    run = commands.add_parser("run", help="measure")
    run.add_argument("--full", action="store_true", help="all measures, three rounds of each: about two hours")
    run.add_argument("--only", nargs="+", default=[], choices=[measure.name for measure in MEASURES], metavar="NAME")
    run.add_argument("--out", type=Path, default=REFERENCE, help="the JSON file that is written (default: %(default)s)")
    run.add_argument("--project", type=Path, default=ROOT, help="folder of the default pipeline and its data")
    run.set_defaults(command=measure)
    compare = commands.add_parser("compare", help="compare with the committed results")
    compare.add_argument("new", type=Path)
    compare.add_argument("--old", type=Path, default=REFERENCE)
    compare.add_argument("--tolerance", type=float, default=comparison.TOLERANCE, help="default: %(default)s")
    compare.set_defaults(command=compare_reports)
    given = vars(parser.parse_args())
    sys.exit(given.pop("command")(**given))


def measure(full: bool, only: list[str], out: Path, project: Path) -> str | None:
    setting = Setting(project=project.resolve(), full=full)
    limits = {} if full or only else {"minutes": QUICK_MINUTES}
    failed = runner.run_all(setting, out, runner.chosen(only, full=full), **limits)
    return f"error: {', '.join(failed)} failed" if failed else None


def compare_reports(old: Path, new: Path, tolerance: float) -> str | None:
    try:
        worse = comparison.compare(read_report(old), read_report(new), tolerance)
    except ValueError as error:
        return f"error: {error}"
    return f"error: worse by more than {tolerance:.0%}: {', '.join(worse)}" if worse else None


if __name__ == "__main__":
    main()

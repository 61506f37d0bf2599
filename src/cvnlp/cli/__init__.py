"""The command `cvnlp`: params, data sets, trained models, MLflow's pages and leftovers outside the pipeline."""

import argparse
import os
import sys
from collections.abc import Sequence

from cvnlp import files
from cvnlp.cli.check import add_check
from cvnlp.cli.clean import add_clean
from cvnlp.cli.datasets import add_datasets
from cvnlp.cli.generate import add_generate
from cvnlp.cli.repro import add_repro
from cvnlp.cli.ui import add_ui

INTERRUPTED = 130  # exit code of a program that Ctrl-C has ended, by the convention of shells


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; bad input ends the process with exit code 1 and one line, Ctrl-C without a message."""
    files.print_any_text()
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        command(**options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader has closed the pipe, as in `cvnlp ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cvnlp", description="Image classifiers and language models as one pipeline.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_check, add_datasets, add_generate, add_ui, add_clean, add_repro):
        add(commands)
    return parser

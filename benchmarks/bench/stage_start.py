"""A stage up to the start of its work, for start_up.py: it prints STARTED in place of the work and waits to be killed.

    python -m bench.stage_start STAGE RUN    # in the folder of a project; RUN is "" for the report

The work of `train` begins with the first batch, that of `evaluate`, `attack` and `insight` when they are given network
and data, that of the report when it is built.
"""

import runpy
import sys
import time
from types import SimpleNamespace
from typing import Any, NoReturn

from cvnlp import domains

STARTED = "the work starts"
WAITING = 60  # seconds, in which start_up.py kills this process and its children
WORK = {"evaluate": ("evaluation", "evaluate"), "attack": ("attacks", "attack"), "insight": ("insight", "analyse")}


def start(*_: Any, **__: Any) -> NoReturn:
    print(STARTED, flush=True)
    time.sleep(WAITING)
    sys.exit(1)


def replace_work(stage: str) -> None:
    """The room of the half in which the work is done gets `start` in its place, when the stage has loaded it."""
    room, function = WORK.get(stage, ("training", ""))
    load: Any = vars(domains.Domain)[room].fget

    def loaded(domain: domains.Domain) -> Any:
        real = load(domain)
        if stage != "train":
            return SimpleNamespace(**{**vars(real), function: start})
        return SimpleNamespace(**{**vars(real), "Task": type("Task", (real.Task,), {"train_batches": start})})

    setattr(domains.Domain, room, property(loaded))


def main() -> None:
    stage, run = sys.argv[1:]
    if stage == "report":
        from cvnlp.report import build

        build.write_report = start
    else:
        replace_work(stage)
    sys.argv = [f"cvnlp.stages.{stage}", *(["--run", run] if run else [])]
    runpy.run_module(f"cvnlp.stages.{stage}", run_name="__main__")


if __name__ == "__main__":
    main()

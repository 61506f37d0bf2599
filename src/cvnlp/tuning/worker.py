"""A process of `cvnlp tune`: it trains one trial after the other, on training and validation split alone."""

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.params.tuned_runs import AnyRun
from cvnlp.tracking.messages import Status
from cvnlp.tracking.recorder import Recorder
from cvnlp.training import trainer
from cvnlp.training.base_task import BaseTask
from cvnlp.training.callbacks import EpochLogger
from cvnlp.tuning import setting as settings
from cvnlp.tuning import trials
from cvnlp.tuning.paths import TunePaths
from cvnlp.tuning.recording import metadata
from cvnlp.tuning.setting import Setting

STOPPED = 128 + signal.SIGTERM
REPEAT = 5.0  # seconds


class Worker:
    """`limit`: of trials of the study; `deadline`: seconds since the epoch, after which no trial begins."""

    def __init__(self, setting: Setting, storage: str | None, limit: int, deadline: float) -> None:
        self.setting, self.limit, self.deadline = setting, limit, deadline
        self.paths = TunePaths(setting.paths.tuning, setting.study)
        monitor, opened = self._task(setting.block).monitor, trials.open_storage(self.paths.folder, storage)
        self.study = trials.open_study(setting, opened, monitor.metric, lower_is_better=monitor.mode == "min")
        self.recorder = Recorder()

    def run(self) -> None:
        """Train trials until enough have ended, or time is up."""
        while time.time() < self.deadline:
            found = trials.next_trial(self.setting, self.study, self.paths.folder, self.limit)
            if found is None:
                return
            with self._recording(*found) as tags:
                tags |= self._end(found[0], *self._result(*found))

    def close(self) -> None:
        self.recorder.close()

    def _result(self, trial: Trial, values: dict[str, Any]) -> tuple[TrialState, float | None, str]:
        """State, score and reason of a trial."""
        try:
            return TrialState.COMPLETE, self._train(trial, values), ""
        except optuna.TrialPruned:
            return TrialState.PRUNED, None, "worse than the median of the others at this epoch"
        except (ValueError, RuntimeError) as error:
            return TrialState.FAIL, None, " ".join(str(error).split())

    def _end(self, trial: Trial, state: TrialState, value: float | None, reason: str) -> dict[str, str]:
        trials.end(self.study, trial, state, value=value, reason=reason)
        return {"trial.state": state.name} | ({"trial.reason": reason} if reason else {})

    def _train(self, trial: Trial, values: dict[str, Any]) -> float:
        """The best score of all epochs on the validation split. ValueError if it is no number, or values clash."""
        block = self.setting.tuned(values)
        task = self._task(block)
        logger = EpochLogger(lambda metrics, epoch: self._report(trial, task, metrics, epoch))
        with self.paths.work() as folder:
            fitted = trainer.fit(task, run=self.setting.run, resume=folder, logger=logger)
        return task.monitor.best(fitted.history)[task.monitor.metric]

    def _report(self, trial: Trial, task: BaseTask, metrics: dict[str, float], epoch: int) -> None:
        self.recorder.log_metrics(metrics, epoch)
        value = metrics[task.monitor.metric]
        if not math.isfinite(value):
            raise ValueError(f"the score is no longer a number after epoch {epoch + 1}")
        trial.report(value, epoch)
        if epoch + 1 < task.options.epochs and trial.should_prune():
            raise optuna.TrialPruned

    def _task(self, block: AnyRun) -> BaseTask:
        """As the stage `train`."""
        networks.use_threads(block.train.threads)
        facts = prepared.read_facts(self.setting.paths.prepared)
        config = networks.describe(block.domain, block.model, facts)
        trainer.seed_everything(block.seed)
        half = domains.DOMAINS[block.domain].training
        network = networks.build(config)
        return trainer.make_task(half, network, block.train, folder=self.setting.paths.prepared, seed=block.seed)

    @contextlib.contextmanager
    def _recording(self, trial: Trial, values: dict[str, Any]) -> Iterator[dict[str, str]]:
        """Record the trial in MLflow, with the tags that are added within; an interrupted one is enqueued again."""
        tags: dict[str, str] = {}
        status: Status = "KILLED"
        described = metadata(self.setting, trial.number, {key: str(value) for key, value in values.items()})
        self.recorder.start_run(described, note=self.paths.note(trial.number), parent=self.paths.note())
        try:
            yield tags
            status = "FAILED" if tags["trial.state"] == TrialState.FAIL.name else "FINISHED"
        except BaseException:  # a signal
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        finally:
            self.recorder.end_run(status, tags, last=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--limit", type=int, required=True)
    parser.add_argument("--deadline", type=float, required=True)
    parser.add_argument("--storage")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        setting = settings.read(given.run)
        if setting.study != given.study:
            raise ValueError("params.yaml, the data or the code have changed since the search began; start it again")
        worker = Worker(setting, given.storage, given.limit, given.deadline)
        try:
            worker.run()
        finally:
            worker.close()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _stop(*_: Any) -> None:
    raise SystemExit(STOPPED)


def _stop_with_parent() -> None:
    """The command keeps standard input open: it is closed when the command ends, in whatever way.

    The signal is repeated, for an exception that a callback of another library raises may be lost.
    """
    while os.read(0, 1):  # not sys.stdin, whose lock an ending interpreter needs
        pass
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(REPEAT)


if __name__ == "__main__":
    main()

"""Stage train: data/prepared/<dataset> -> data/models/<run> and the history of the training."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cvnlp import domains, files, provenance
from cvnlp.data import prepared
from cvnlp.launch import launcher, settings
from cvnlp.launch.processes import is_main_process
from cvnlp.params import pick, read_params
from cvnlp.params.network_config import NetworkConfig
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.stages import command_line
from cvnlp.tracking import training_record
from cvnlp.tracking.messages import Status
from cvnlp.tracking.recorder import Recorder
from cvnlp.tracking.run_metadata import describe
from cvnlp.tracking.training_record import TrainingRecord
from cvnlp.training import resume

if TYPE_CHECKING:
    from torch import nn

    from cvnlp.training.trainer import Fitted

METRICS = ("parameters", "epochs")
AnyRun = VisionRun | LanguageRun
Write = Callable[[dict[str, float], int], None]


def train(run: str, root: Path = Path()) -> None:
    """Train one network and keep its best epoch."""
    project = ProjectPaths(root)
    settings = read_params(project.params)
    block = pick(project.params, "runs", settings.runs, run)
    paths = project.run(run, block.dataset)
    facts = prepared.read_facts(paths.prepared)
    key = provenance.training_fingerprint(block, paths.prepared)
    if not is_main_process():  # the main process of the same training writes its results
        _join_training(run, block, facts, paths, paths.resume / key)
        return
    folder = resume.open_folder(paths.resume, key)
    recorder = Recorder()
    network, config = _build(run, block, facts)  # before MLflow has a run: options may not fit the data
    note, tags = folder / "mlflow_run_id", provenance.training_tags(key)
    recorder.start_run(describe(settings, paths, tags), note=note)
    with _ending_run(recorder) as results:
        with _noting_progress(folder, block.train.epochs):
            fitted = _fit(run, block, network, paths, folder, recorder.log_metrics)
        processing = prepared.read_processing(paths.prepared)
        _save(network, config.model_copy(update={"processing": processing}), fitted, paths)
        results["model.sha256"] = provenance.model_digest(paths.model)
    record = TrainingRecord(
        tags=tags, ended=time.time(), seconds=fitted.seconds, mlflow_run=note.read_text() if note.is_file() else None
    )
    training_record.write(paths, results["model.sha256"], record)
    # Last of all: if the process is killed before this line, the repeated stage has the result at once
    if folder.exists():
        resume.remove(folder)


@contextlib.contextmanager
def _ending_run(recorder: Recorder) -> Iterator[dict[str, str]]:
    """End MLflow's run with the tags that are added within: as FINISHED, KILLED if interrupted, or else FAILED."""
    tags: dict[str, str] = {}
    status: Status = "FAILED"
    try:
        yield tags
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        recorder.end_run(status, tags)


@contextlib.contextmanager
def _noting_progress(folder: Path, epochs: int) -> Iterator[None]:
    """Add to an interruption where the next `dvc repro` resumes the training whose state is in `folder`."""
    try:
        yield
    except command_line.Stopped as stopped:
        from cvnlp.training import checkpoints

        done = checkpoints.reached(folder, settings.read_launch().processes)
        place = f"epoch {done.epochs + 1} of {epochs}" + (f", batch {done.batches + 1}" if done.batches else "")
        resumed = f"resumes from {place}" if done.epochs < epochs else "saves the trained model"
        stopped.add_note(f"the next `dvc repro` {resumed}")
        raise


def _build(run: str, block: AnyRun, facts: prepared.Facts) -> tuple["nn.Module", NetworkConfig]:
    """The network with its initial weights, and its config; ValueError for options that do not fit the data."""
    from cvnlp import networks
    from cvnlp.training import trainer

    networks.use_threads(block.train.threads)
    config = networks.describe(block.domain, block.model, facts)
    trainer.seed_everything(block.seed)
    network = networks.build(config)
    if not networks.parameter_count(network) and block.train.epochs:
        raise ValueError(f"runs.{run}.train.epochs: the network {block.model.name!r} has no parameters; set 0")
    return network, config


def _join_training(run: str, block: AnyRun, facts: prepared.Facts, paths: RunPaths, folder: Path) -> None:
    """Train with the main process, unless it needs no other: it trains a network without gradients alone."""
    from cvnlp.training.gradient_free import GradientFreeNetwork

    network, _ = _build(run, block, facts)
    if not isinstance(network, GradientFreeNetwork):
        _fit(run, block, network, paths, folder, lambda metrics, epoch: None)


def _fit(run: str, block: AnyRun, network: "nn.Module", paths: RunPaths, folder: Path, write: Write) -> "Fitted":
    """Train, with the state in `folder` and the metrics of every epoch given to `write`."""
    from cvnlp.training import trainer
    from cvnlp.training.callbacks import EpochLogger

    half = domains.DOMAINS[block.domain].training
    task = trainer.make_task(half, network, block.train, folder=paths.prepared, seed=block.seed)
    return trainer.fit(task, run=run, resume=folder, logger=EpochLogger(write), launch=settings.read_launch())


def _save(network: "nn.Module", config: NetworkConfig, fitted: "Fitted", paths: RunPaths) -> None:
    """Write the model, the history, sizes of network and training, and its duration, which is no output of DVC."""
    from cvnlp import networks

    networks.save(paths.model, network, config)
    _write_history(paths.history, fitted.history)
    result = {
        "parameters": networks.parameter_count(network),  # after training: the text decides the number of n-grams
        "multiply_adds": domains.DOMAINS[config.domain].models.multiply_adds(network),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "examples": fitted.examples,
    }
    files.write_scores(paths.training, result, metrics=METRICS)
    speed = fitted.examples / fitted.seconds if fitted.seconds else 0.0
    duration = {"seconds": fitted.seconds, "examples_per_second": speed, **networks.hardware()}
    files.write_json(paths.durations, duration | provenance.machine())


def _write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """One row per epoch; only the header for a run without training."""
    columns = ["epoch", "step", *sorted({name for row in rows for name in row} - {"epoch", "step"})]
    files.write_table(path, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    launcher.replace_process()
    command_line.run(train, item="run")

"""data/prepared/<dataset> -> data/models/<run>, its history and its scores."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cvnlp import domains, files, provenance
from cvnlp.data import prepared
from cvnlp.params import pick, read_params
from cvnlp.params.network_config import NetworkConfig
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.stages import command_line
from cvnlp.tracking.messages import Status
from cvnlp.tracking.recorder import Recorder
from cvnlp.tracking.run_metadata import describe

if TYPE_CHECKING:
    from torch import nn

    from cvnlp.training.trainer import Fitted

AnyRun = VisionRun | LanguageRun


def train(run: str, root: Path = Path()) -> None:
    """Train one network and keep its best epoch."""
    project = ProjectPaths(root)
    settings = read_params(project.params)
    block = pick(project.params, "runs", settings.runs, run)
    paths = project.run(run, block.dataset)
    facts = prepared.read_facts(paths.prepared)
    resume = _own_folder(paths.resume, provenance.training_fingerprint(block, paths.prepared)[:16])
    recorder = Recorder()
    network, config = _build(run, block, facts)  # sizes that do not fit are refused before MLflow has a run
    recorder.start_run(describe(settings, paths), note=resume / "mlflow_run_id")
    status: Status = "FAILED"
    try:
        fitted = _fit(run, block, network, paths, resume, recorder)
        _save(network, config, fitted, paths)
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        finished = status == "FINISHED"
        recorder.end_run(status, {"model.sha256": provenance.model_digest(paths.model)} if finished else None)
    shutil.rmtree(resume, ignore_errors=True)  # last: killed before here, the next run ends at once with the same


def _own_folder(resume: Path, key: str) -> Path:
    """The folder of this very training; what other params, data or code have left cannot be resumed."""
    for folder in resume.glob("*"):
        if folder.name != key:
            shutil.rmtree(folder)
    return resume / key


def _build(run: str, block: AnyRun, facts: prepared.Facts) -> tuple["nn.Module", NetworkConfig]:
    """The network with its initial weights, and its config; ValueError for options that do not fit the data."""
    from cvnlp import networks
    from cvnlp.training import trainer

    config = networks.describe(block.domain, block.model, facts)
    trainer.seed_everything(block.seed)
    network = networks.build(config)
    if not networks.parameter_count(network) and block.train.epochs:
        raise ValueError(f"runs.{run}.train.epochs: the network {block.model.name!r} has no parameters; set 0")
    return network, config


def _fit(run: str, block: AnyRun, network: "nn.Module", paths: RunPaths, resume: Path, recorder: Recorder) -> "Fitted":
    from cvnlp.training import trainer

    half = domains.DOMAINS[block.domain]
    task = half.training.Task(network, block.train)
    data = trainer.Data(half.batches, paths.prepared, block.train, block.seed)
    return trainer.fit(task, data, run=run, resume=resume, logger=trainer.EpochLogger(recorder.log_metrics))


def _save(network: "nn.Module", config: NetworkConfig, fitted: "Fitted", paths: RunPaths) -> None:
    """Write the model, the history, the facts of the training and, outside DVC, its duration."""
    from cvnlp import networks

    networks.save(paths.model, network, config)
    _write_history(paths.history, fitted.history)
    result = {
        "parameters": networks.parameter_count(network),  # the text decides how many n-grams there are
        "multiply_adds": domains.DOMAINS[config.domain].models.multiply_adds(network),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "examples": fitted.examples,
    }
    files.write_json(paths.training, result)
    speed = fitted.examples / fitted.seconds if fitted.seconds else 0.0
    spent = {"seconds": fitted.seconds, "examples_per_second": speed, **networks.hardware()}
    files.write_json(paths.durations, spent | provenance.machine())


def _write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """A row per epoch; the header alone for a run without training."""
    columns = ["epoch", "step", *sorted({name for row in rows for name in row} - {"epoch", "step"})]
    files.write_table(path, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    command_line.run(train, item="run")

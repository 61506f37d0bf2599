"""data/prepared/<dataset> -> data/models/<run>, its history and its scores."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import domains, files, provenance
from cvnlp.data import prepared
from cvnlp.params import pick
from cvnlp.stages import command_line
from cvnlp.tracking.recorder import Recorder
from cvnlp.tracking.run_metadata import describe


def train(
    params: Path, run: str, data: Path, model: Path, history: Path, scores: Path, durations: Path, resume: Path
) -> None:
    """Train one network and keep its best epoch."""
    settings = domains.read_params(params)
    block = pick(params, "runs", settings.runs, run).model_dump()
    facts = prepared.facts(data)
    decisive = {key: block[key] for key in ("domain", "seed", "model", "train")}
    resume = _own_folder(resume, provenance.work_digest(decisive, data)[:16])
    recorder = Recorder()
    network, config = _build(run, block, facts)  # sizes that do not work out are refused before MLflow has a run
    recorder.open(**describe(settings, run, block["dataset"], data), note=resume / "mlflow_run_id")
    status = "FAILED"
    try:
        rows, result, spent = _fit(run, block, network, config, data, model, resume, recorder)
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        finished = status == "FINISHED"
        recorder.finish(status, {"model.sha256": provenance.model_digest(model)} if finished else None)
    _write_history(history, rows)
    files.write_json(scores, result)
    files.write_json(durations, spent | provenance.machine())
    shutil.rmtree(resume, ignore_errors=True)  # last: killed before here, the next run ends at once with the same


def _own_folder(resume: Path, key: str) -> Path:
    """The folder of this very training; what other params, data or code have left is of no use any more."""
    for folder in resume.glob("*"):
        if folder.name != key:
            shutil.rmtree(folder)
    return resume / key


def _build(run: str, block: dict[str, Any], facts: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The network as its seed starts it, and its config; ValueError for options that do not go with the data."""
    from cvnlp import networks
    from cvnlp.training import trainer

    config = networks.describe(block["domain"], block["model"], facts)
    trainer.seed_everything(block["seed"])
    network = networks.build(config)
    if not networks.parameter_count(network) and block["train"]["epochs"]:
        raise ValueError(f"runs.{run}.train.epochs: the network {config['name']!r} has nothing to learn; set 0")
    return network, config


def _fit(
    run: str,
    block: dict[str, Any],
    network: Any,
    config: dict[str, Any],
    data: Path,
    model: Path,
    resume: Path,
    recorder: Any,
) -> tuple[list[dict[str, float]], dict[str, Any], dict[str, Any]]:
    """Train and save the network; returns the history, the scores and the durations."""
    from cvnlp import networks
    from cvnlp.training import trainer

    half = block["domain"]
    fitted = trainer.fit(
        domains.DOMAINS[half].training.Task(network, block["train"]),
        trainer.Data(domains.DOMAINS[half].batches, data, block["train"], block["seed"]),
        run=run,
        resume=resume,
        logger=trainer.EpochLogger(recorder.metrics),
    )
    networks.save(model, network, config)
    result = {
        "parameters": networks.parameter_count(network),  # of n-grams the text decides how many
        "multiply_adds": domains.DOMAINS[half].models.multiply_adds(network),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "examples": fitted.examples,
    }
    speed = fitted.examples / fitted.seconds if fitted.seconds else 0.0
    return fitted.history, result, {"seconds": fitted.seconds, "examples_per_second": speed, **networks.hardware()}


def _write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """A row per epoch; for a run without training a header alone."""
    columns = ["epoch", "step", *sorted({name for row in rows for name in row} - {"epoch", "step"})]
    files.write_table(path, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    command_line.run(train, "data", "model", "history", "scores", "durations", "resume", item="run")

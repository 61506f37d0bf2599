"""Train a run with another seed and score it on the test split, in a folder from which both are resumed."""

import math
import shutil
from pathlib import Path

import pandas as pd
from torch import nn

from cvnlp import domains, files, networks, provenance
from cvnlp.data import prepared
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import SeedPaths
from cvnlp.seeds import RESULT, STATE
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger
from cvnlp.training.trainer import Fitted

AnyRun = VisionRun | LanguageRun
EVALUATION_CODE = ("{domain}/inference", "{domain}/metrics.py", "{domain}/evaluation")


def score(run: str, block: AnyRun, data: Path, folder: Path) -> dict[str, float]:
    """All finite scores on the test split, after a training with the seed of `block`.

    `folder` keeps the state of the training, then the result (`result_paths`), so that a repeated call does only what
    is missing. ValueError names the seed.
    """
    result = result_paths(folder)
    try:
        if not (result.model / networks.CONFIG).is_file():
            _train(run, block, data, folder)
    except ValueError as error:
        text = str(error).replace(f"runs.{_title(run, block)}.", f"runs.{run}.")
        raise ValueError(f"seed {block.seed}: {text}") from None
    return _evaluate(block, data, result)


def result_paths(folder: Path) -> SeedPaths:
    return SeedPaths(folder / RESULT)


def _title(run: str, block: AnyRun) -> str:
    return f"{run} seed {block.seed}"


def _train(run: str, block: AnyRun, data: Path, folder: Path) -> None:
    """As the stage `train`: config.json is written last, and means that the result is complete."""
    networks.use_threads(block.train.threads)
    config = networks.describe(block.domain, block.model, prepared.read_facts(data))
    trainer.seed_everything(block.seed)
    network = networks.build(config)
    fitted = _fit(run, block, network, data, folder / STATE)
    result = result_paths(folder)
    files.write_table(result.history, pd.DataFrame(fitted.history))
    config = config.model_copy(update={"processing": prepared.read_processing(data)})
    networks.save(result.model, network, config)
    shutil.rmtree(folder / STATE, ignore_errors=True)


def _fit(run: str, block: AnyRun, network: nn.Module, data: Path, state: Path) -> Fitted:
    half = domains.DOMAINS[block.domain].training
    task = trainer.make_task(half, network, block.train, folder=data, seed=block.seed)
    logger = EpochLogger(lambda metrics, epoch: None)
    return trainer.fit(task, run=_title(run, block), resume=state, logger=logger)


def _evaluate(block: AnyRun, data: Path, result: SeedPaths) -> dict[str, float]:
    """As the stage `evaluate`; scores of the same settings and code are read."""
    key = _evaluation_key(block)
    if result.scores.is_file() and (found := files.read_json(result.scores))["key"] == key:
        return dict(found["scores"])
    networks.use_threads(block.evaluate.threads)
    network, _ = networks.load(result.model)
    room = domains.DOMAINS[block.domain].evaluation
    scores = room.evaluate(network, data, prepared.read_facts(data), block.evaluate, result.evaluation)
    finite = {name: value for name, value in scores.items() if math.isfinite(value)}
    files.write_json(result.scores, {"key": key, "scores": finite})
    return finite


def _evaluation_key(block: AnyRun) -> str:
    code = provenance.code_digest([provenance.PACKAGE / part.format(domain=block.domain) for part in EVALUATION_CODE])
    return provenance.digest([block.evaluate.model_dump(), code])

"""A project whose runs are trained, as far as the stages after training can see, without the time of a training."""

import shutil
from pathlib import Path

import torch

from cvnlp import files, networks
from cvnlp.data import prepared
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.report import build
from cvnlp.stages.attack import attack
from cvnlp.stages.evaluate import evaluate
from cvnlp.stages.insight import insight

METRICS = {"vision": "validation_accuracy", "language": "validation_perplexity"}
TRAINED = {"parameters": 1, "multiply_adds": 1, "epochs": 2, "best_epoch": 0, "examples": 2}


def make_project(root: Path, params: str, data: dict[str, Path], *, factor: float = 1.0) -> ProjectPaths:
    """Copies of the prepared `data`, and untrained networks whose weights are multiplied by `factor`."""
    paths = ProjectPaths(root)
    files.write_text(paths.params, params)
    for name, folder in data.items():
        shutil.copytree(folder, paths.prepared(name))
    for name, block in read_params(paths.params).runs.items():
        run = paths.run(name, block.dataset)
        config = networks.describe(block.domain, block.model, prepared.read_facts(run.prepared))
        config = config.model_copy(update={"processing": prepared.read_processing(run.prepared)})
        network = networks.build(config, seed=1)
        with torch.no_grad():
            for parameter in filter(torch.is_floating_point, network.parameters()):
                parameter.mul_(factor)
        networks.save(run.model, network, config)
        files.write_scores(run.training, TRAINED, metrics=list(TRAINED))
        first, second = "0,1,0.1,inf,1e+30,0.1", "1,2,0.1,,,"
        files.write_text(
            run.history, f"epoch,step,lr,train_loss,validation_nll,{METRICS[block.domain]}\n{first}\n{second}\n"
        )
    return paths


def run_stages_after_training(paths: ProjectPaths) -> dict[str, dict[str, dict[str, float]]]:
    """Evaluate, attack and analyse every run, and write the report; returns scores by run and stage."""
    settings = read_params(paths.params)
    found = {}
    for name, block in settings.runs.items():
        run = paths.run(name, block.dataset)
        for stage in (evaluate, attack, insight):
            stage(name, root=paths.root)
        places = {"evaluate": run.scores, "attack": run.attacks, "insight": run.insights}
        found[name] = {stage: files.read_scores(path) for stage, path in places.items()}
    build.write_report(settings, paths)
    return found

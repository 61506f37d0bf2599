"""How far back each of several language models looks. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cvnlp import plots
from cvnlp.language.insight_figures import along, draw_dependencies


def draw_comparison(learned: Mapping[str, Path], groups: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Figures over all runs of one data set: caption -> file. `learned`: each run's folder of insight; `groups`: its
    data set.
    """
    drawn = {}
    for dataset in dict.fromkeys(groups.values()):
        runs = {run: learned[run] for run in groups if groups[run] == dataset}
        gradients = {run: path for run, of in runs.items() if (path := of / "gradients.csv").is_file()}
        norms = pd.DataFrame({run: along(path, "trained") for run, path in gradients.items()})
        context = pd.DataFrame({run: along(of / "context.csv", "nats") for run, of in runs.items()})
        path = folder / f"dependencies-{dataset}.png"
        draw_dependencies(norms, context, plots.line_styles(groups), path)
        drawn[f"How far back the models of {dataset} look, by the gradient and by the loss when fewer are read"] = path
    return drawn

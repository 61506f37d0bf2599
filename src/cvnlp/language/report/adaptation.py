"""What the report shows of a language model that adapts to the text it is scored on. Imports no torch."""

from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.language.metrics import ADAPTED
from cvnlp.report import plots


def draw_adaptation(details: Path, folder: Path) -> list[str]:
    """The section as Markdown, empty if no method was asked for; its figure goes into `folder`, linked by name."""
    if not (details / "adapted.json").is_file():
        return []
    found = files.read_json(details / "adapted.json")
    _draw_saved(found["tokens"], found["methods"], folder / "adaptation.png")
    return [
        "What adapting to the test text as it is read saves, against the model as it was trained; scores apart, in the "
        f"table above ({'; '.join(_settings(name, method) for name, method in found['methods'].items())}):",
        "",
        "![Adapting to a text]({folder}/adaptation.png)",
        "",
    ]


def _settings(name: str, method: dict[str, Any]) -> str:
    return f"{ADAPTED[name]} with " + ", ".join(f"{key} {value:g}" for key, value in method["settings"].items())


def _draw_saved(tokens: int, methods: dict[str, dict[str, Any]], path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=6.4, height=2.6)
    for colour, (name, method) in zip(plots.COLOURS, methods.items(), strict=False):
        ends = np.linspace(0, tokens, len(method["saved"]) + 1)
        axis.stairs(method["saved"], ends, baseline=None, color=colour, label=ADAPTED[name], linewidth=1.5)
    axis.axhline(0, color="#999999", linewidth=1)
    axis.set(xlabel="tokens read", ylabel="nats per token saved")
    axis.legend()
    plots.save(figure, path)

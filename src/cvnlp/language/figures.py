"""What the report shows of language models: figures and samples from the files of the stages. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cvnlp import files, plots, prepared

TITLE = "Language modelling"


def draw_comparison(
    histories: Mapping[str, pd.DataFrame],
    groups: Mapping[str, str],
    attacks: Mapping[str, pd.DataFrame],
    attack_scores: Mapping[str, dict[str, float]],
    folder: Path,
) -> dict[str, Path]:
    """Figures over all runs of this half: caption -> file."""
    figures = {}
    if plots.draw_curves(histories, groups, "validation_nll", "validation nats per token", folder / "learning.png"):
        figures["Validation nats per token after every epoch"] = folder / "learning.png"
    clean = {run: scores["perplexity_clean"] for run, scores in attack_scores.items()}
    labels = ("share of the tokens read that are replaced", "perplexity of the text")
    plots.draw_strength(attacks, clean, "share", "perplexity", labels, folder / "attacks.png")
    figures["Perplexity as what is read gets replaced, at random and by the gradient's choice"] = folder / "attacks.png"
    return figures


def draw_run(details: Path, examples: Path, folder: Path) -> list[str]:
    """The section of one run, as Markdown."""
    samples = files.read_json(details / "samples.json")
    lines = [f"Written by the model, temperature {samples['temperature']:g}:", ""]
    for text in samples["texts"]:
        lines += _quoted(text)
    share = float(prepared.load_array(examples, "share"))
    titles = {
        "clean": "A test text",
        "random": f"{share:.0%} replaced at random",
        "hotflip": f"{share:.0%} replaced by HotFlip",
    }
    for name, title in titles.items():
        lines += [f"{title}:", "", *_quoted(str(prepared.load_array(examples, name)))]
    return lines


def _quoted(text: str) -> list[str]:
    return ["```text", text.strip("\n"), "```", ""]

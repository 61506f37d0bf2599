"""The report's section on one language model: losses of a text, adaptation, generated and attacked texts.

Imports no torch.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.language.metrics import ADAPTED
from cvnlp.language.report import token_heatmap
from cvnlp.report import plots
from cvnlp.report.comparison import LearningCurves, Robustness
from cvnlp.report.elements import Element, Figure, Number, Numbers, SampleText, Text, single_figure

TITLE = "Language modelling"
LARGE_LOSS = 10  # nats: where the colours of the losses end
LEARNING = LearningCurves(
    metric="validation_nll",
    label="validation loss, nats per token",
    title="Learning curves",
    caption="Loss on the validation split after every epoch, a plot for each data set. Losses per character and per "
    "word cannot be compared.",
)
ROBUSTNESS = Robustness(
    strength="share",
    metric="perplexity",
    strength_label="share of the input tokens changed",
    metric_label="perplexity",
    attacks={
        "random": ("random replacement", plots.GREY),
        "swap": ("swap of neighbours", "#0072B2"),
        "typo": ("misspelling", "#009E73"),
        "hotflip": ("HotFlip", "#D55E00"),
    },
    title="Perplexity under attack",
    caption="Perplexity of a test text when a share of the input tokens is replaced at random, swapped with a "
    "neighbour, misspelled (two letters of a word swapped), or replaced by the gradient-based attack HotFlip. The "
    "targets stay unchanged.",
)


def run_section(details: Path, examples: Path, folder: Path) -> list[Element]:
    """The elements of one run; its figures go into `folder`."""
    return [
        _excerpt(files.read_json(details / "excerpt.json"), folder / "excerpt.png"),
        *_adaptation(details, folder),
        *_generated(files.read_json(details / "samples.json")),
        *_attacked(examples),
    ]


def _excerpt(excerpt: dict[str, Any], path: Path) -> Figure:
    lines = token_heatmap.lay_out(excerpt["tokens"], excerpt["nats"], excerpt["token_kind"], excerpt["line_end"])
    width, height = token_heatmap.size(lines, margin=0.3)
    title = "Loss of each token of a test text"
    drawing, (axis,) = plots.panels(1, title=title, width=width, height=height)
    token_heatmap.draw(axis, lines, low=0, high=LARGE_LOSS, cmap="Oranges", label="nats")
    plots.save(drawing, path)
    caption = (
        "Negative log-likelihood of each token given all tokens before it, "
        f"up to {LARGE_LOSS} nats. Dark tokens are hard to predict."
    )
    return single_figure(
        title, caption, path, "A text on a background that is the darker, the larger the loss of a token"
    )


def _adaptation(details: Path, folder: Path) -> list[Element]:
    """Nothing if no method of adaptation was evaluated."""
    if not (details / "adapted.json").is_file():
        return []
    adapted = files.read_json(details / "adapted.json")
    methods, path = adapted["methods"], folder / "adaptation.png"
    title = "Adaptation to the test text"
    _draw_savings(adapted["tokens"], methods, title, path)
    caption = (
        "Nats per token saved by adapting to the test text while reading it, compared with the model as trained. "
        "Above 0 the adaptation helps. The adapted scores are in the table of all runs."
    )
    settings = tuple(
        Number(f"{ADAPTED[name]}, {key.replace('_', ' ')}", value, format="g")
        for name, method in methods.items()
        for key, value in method["settings"].items()
    )
    figures = single_figure(title, caption, path, "Step plots of the savings along the test text")
    return [figures, Numbers("Settings of the adaptation, chosen on the validation split", settings)]


def _draw_savings(tokens: int, methods: dict[str, Any], title: str, path: Path) -> None:
    drawing, (axis,) = plots.panels(1, title=title, width=6.4, height=2.6)
    for colour, (name, method) in zip(plots.COLOURS, methods.items(), strict=False):
        ends = np.linspace(0, tokens, len(method["saved"]) + 1)
        axis.stairs(method["saved"], ends, baseline=None, color=colour, label=ADAPTED[name], linewidth=1.5)
    axis.axhline(0, color=plots.GREY, linewidth=1)
    axis.set(xlabel="tokens read", ylabel="nats per token saved")
    axis.legend()
    plots.save(drawing, path)


def _generated(samples: dict[str, Any]) -> list[Element]:
    temperature = (("temperature", f"{samples['temperature']:g}"),)
    return [
        SampleText(f"Generated text {number}", text, temperature)
        for number, text in enumerate(samples["texts"], start=1)
    ]


def _attacked(examples: Path) -> Iterator[Element]:
    """A test text, and the same after each attack that applies to the network."""
    share = (("share of the tokens changed", f"{float(prepared.load_array(examples, 'share')):.0%}"),)
    yield SampleText("Test text, original", str(prepared.load_array(examples, "clean")))
    for attack, (label, _) in ROBUSTNESS.attacks.items():
        if (examples / f"{attack}.npy").is_file():
            yield SampleText(f"Test text under attack, {label}", str(prepared.load_array(examples, attack)), share)
    if not (examples / "hotflip.npy").is_file():
        yield Text("HotFlip needs the gradient with respect to token embeddings, which this network does not have.")

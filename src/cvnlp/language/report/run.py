"""The report's section on one language model: losses of a text, adaptation, generated and attacked texts.

Imports no torch.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.language.metrics import ADAPTED
from cvnlp.language.report.token_texts import read_tokens
from cvnlp.report import plots
from cvnlp.report.comparison import Robustness
from cvnlp.report.elements import (
    Element,
    Number,
    Numbers,
    SampleText,
    Text,
    TokenText,
    TokenValues,
    single_figure,
)
from cvnlp.report.learning import LearningCurves

TITLE = "Language modelling"
LARGE_LOSS = 10  # nats: where the colours of the losses end
LEARNING = LearningCurves(
    metric="validation_nll",
    label="validation loss, nats per token",
    title="Learning curves",
    caption="Loss on the validation split after every epoch, a plot for each data set. Losses per character and per "
    "word cannot be compared.",
    unit="tokens",
    lower_is_better=True,
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
        "worst_case": ("worst case per excerpt", "#000000"),
    },
    title="Perplexity under attack",
    caption="Perplexity of a test text when a share of the input tokens is replaced at random, swapped with a "
    "neighbour, misspelled (two letters of a word swapped), or replaced by the gradient-based attack HotFlip. In "
    "the worst case each excerpt is changed by the attack that raises its own loss most. The targets stay unchanged.",
    worst_title="Worst case of all runs",
    worst_caption="Perplexity when each excerpt is changed by the attack that raises its own loss most, of all runs of "
    "a data set. Perplexities per character and per word cannot be compared.",
)


def run_section(details: Path, attacked: Path, folder: Path, *, data: Path) -> list[Element]:
    """The elements of one run; its figures go into `folder`. Texts are in `details`, so `data` is not read."""
    return [
        excerpt(details / "excerpt.json"),
        *_adaptation(details / "adapted.json", folder / "adaptation.png"),
        *_generated(details / "samples.json"),
        *_attacked(attacked),
    ]


def excerpt(source: Path) -> TokenText:
    """A test text with the loss of each token."""
    text, found = read_tokens(source)
    caption = (
        f"Negative log-likelihood of each token given all tokens before it, up to {LARGE_LOSS} nats. Dark tokens are "
        "hard to predict."
    )
    nats = TokenValues("nats", tuple(found["nats"]), 0, LARGE_LOSS)
    return text.element("Loss of each token of a test text", caption, (nats,))


def _adaptation(source: Path, path: Path) -> list[Element]:
    """Nothing if no method of adaptation was evaluated."""
    if not source.is_file():
        return []
    adapted = files.read_json(source)
    title, methods = "Adaptation to the test text", adapted["methods"]
    _draw_savings(adapted["tokens"], {ADAPTED[name]: method["saved"] for name, method in methods.items()}, title, path)
    caption = (
        "Nats per token saved by adapting to the test text while reading it, compared with the model as trained. "
        "Above 0 the adaptation helps. The adapted scores are in the table of all runs."
    )
    settings = (
        Number(f"{ADAPTED[name]}, {key.replace('_', ' ')}", value, format="g")
        for name, method in methods.items()
        for key, value in method["settings"].items()
    )
    savings = single_figure(title, caption, path, "Step plots of the savings along the test text")
    return [savings, Numbers("Settings of the adaptation", tuple(settings))]


def _draw_savings(tokens: int, saved: Mapping[str, list[float]], title: str, path: Path) -> None:
    """`saved`: method -> nats per token saved in each piece of the text of so many `tokens`; the pieces are equal."""
    drawing, (axis,) = plots.panels(1, title=title, width=6.4, height=2.6)
    for colour, (label, values) in zip(plots.COLOURS, saved.items(), strict=False):
        ends = np.linspace(0, tokens, len(values) + 1)
        axis.stairs(values, ends, baseline=None, color=colour, label=label, linewidth=1.5)
    axis.axhline(0, color=plots.GREY, linewidth=1)
    axis.set(xlabel="tokens read", ylabel="nats per token saved")
    axis.legend()
    plots.save(drawing, path)


def _generated(source: Path) -> list[SampleText]:
    samples = files.read_json(source)
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

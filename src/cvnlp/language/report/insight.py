"""The report's section on what a language model has learned. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import files
from cvnlp.language.report.context import context_figure, read_column
from cvnlp.language.report.embeddings import embedding_elements
from cvnlp.language.report.state import state_elements
from cvnlp.report import plots
from cvnlp.report.elements import Code, Column, Element, Figure, SampleText, Stepper, Table

GENERATED = "generated"  # texts by temperature, as chapters refer to them
# by column of gradients.csv
STYLES: plots.Styles = {"untrained": {"color": plots.GREY}, "trained": {"color": plots.COLOURS[0]}}


def insight_section(details: Path, folder: Path) -> list[Element]:
    """The elements of one run; its figures go into `folder`."""
    found: list[Element] = [_context(details, folder / "context.png"), *_recall(details / "recall.csv")]
    found += state_elements(details, folder)
    if (details / "projection.csv").is_file():
        found += embedding_elements(details, folder)
    return [*found, *_samples(details / "samples.json", folder / GENERATED)]


def _context(details: Path, path: Path) -> Figure:
    context = read_column(details / "context.csv", "nats").to_frame("trained")
    table = details / "gradients.csv"
    gradients = {name: read_column(table, name) for name in STYLES} if table.is_file() else {}
    prefixes = pd.read_csv(details / "prefixes.csv").groupby("prefix")
    named = {f"{prefix} token{'s' * (prefix != 1)} replaced": rows.set_index("distance") for prefix, rows in prefixes}
    styles = dict(STYLES) | dict(plots.line_styles(named))
    return context_figure(pd.DataFrame(gradients), context, named, styles, path, title="Use of context")


def _recall(path: Path) -> list[Table]:
    """Nothing where the experiment was left out."""
    if not path.is_file():
        return []
    table = pd.read_csv(path)
    first = table.iloc[0]
    caption = (
        "A small network with the same kind of recurrent unit, trained to recall a symbol from up to "
        f"{first['trained']:.0f} steps back: mean and standard deviation of {first['seeds']:.0f} seeds. "
        f"{recall_training(table)} Guessing is correct in {first['chance']:.1%}."
    )
    columns = (
        Column("steps back", table["steps_back"].tolist(), ",d"),
        Column("accuracy", table["accuracy"].tolist(), ".0%"),
        Column("standard deviation", table["std"].tolist(), ".0%"),
    )
    return [Table("Recall of one symbol", columns, caption)]


def recall_training(table: pd.DataFrame) -> str:
    """How far the networks of the recall task were trained."""
    first = table.iloc[0]
    if first["converged"] == first["seeds"]:
        return f"All have learned the task, in at most {first['most_steps']:,.0f} training steps."
    return (
        f"{first['converged']:.0f} of them have learned it; the others were stopped after {first['most_steps']:,.0f} "
        "training steps, and might learn it in more."
    )


def _generated(samples: dict[str, Any], path: Path) -> Stepper:
    """A text for every temperature of samples.json."""
    texts = {
        temperature: (SampleText("Generated text", samples[temperature]["text"], (("temperature", temperature),)),)
        for temperature in temperatures(samples)
    }
    caption = "The higher the temperature, the more often unlikely tokens are chosen."
    return Stepper("Generated text by temperature", caption, "temperature", texts, path)


def temperatures(samples: dict[str, Any]) -> list[str]:
    """Those of samples.json in ascending order."""
    return sorted(samples.keys() - {"validation"}, key=float)


def _samples(source: Path, path: Path) -> Iterator[Element]:
    """A text for every temperature, and the longest spans of all texts that occur in the training text."""
    samples = files.read_json(source)
    yield _generated(samples, path)
    rows = {f"temperature {name}": samples[name] for name in temperatures(samples)} | {
        "validation text": samples["validation"]
    }
    columns = (
        Column("text", rows),
        Column("median length", [row["median"] for row in rows.values()], "g"),
        Column("longest", [row["longest"] for row in rows.values()], ",d"),
        Column("longest span", [Code(row["copied"]) for row in rows.values()]),
    )
    caption = (
        "Length in tokens of the longest span that occurs word for word in the training text, for generated texts and "
        "for pieces of the validation text of the same length, which agree with it only by coincidence."
    )
    yield Table("Copies of the training text", columns, caption)

"""The report's data card of a text data set: numbers, frequencies and the beginning of the text. Imports no torch."""

from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.report.token_texts import visible
from cvnlp.report import plots
from cvnlp.report.elements import (
    Code,
    Column,
    Element,
    Figure,
    Number,
    Numbers,
    SampleText,
    Span,
    Table,
    Text,
    single_figure,
)

SAMPLE = 60  # words, or five times as many characters


def data_section(data: Path, facts: LanguageFacts, folder: Path) -> list[Element]:
    """The elements on one data set; its figure goes into `folder`."""
    vocabulary = files.read_json(data / "vocabulary.json")
    tokens = prepared.load_array(data, "train")
    return [
        _numbers(facts),
        _splits(facts),
        _frequencies(np.bincount(tokens, minlength=len(vocabulary)), folder / "frequency.png"),
        _frequent(facts),
        SampleText("Beginning of the training text", _beginning(tokens, vocabulary, facts)),
    ]


def _numbers(facts: LanguageFacts) -> Numbers:
    repeated = "lines of 40 or more characters that also occur in the training text"
    return Numbers(
        "Tokens",
        (
            Number("tokens", facts.tokens + (", in lower case" if facts.lowercase else "")),
            Number("distinct tokens in the training text", facts.types, format=",d"),
            Number("vocabulary, with <unk>", facts.vocabulary_size, format=",d"),
            *(
                Number(f"{split} {repeated}", facts.repeated_lines[split], format=".1%")
                for split in ("validation", "test")
            ),
        ),
    )


def _splits(facts: LanguageFacts) -> Table:
    counts = {
        "documents": facts.documents,
        "lines": facts.lines,
        "characters": facts.characters,
        "tokens": facts.counts,
    }
    shares = {"in the vocabulary": facts.coverage, "out of vocabulary": facts.out_of_vocabulary}
    return Table(
        "Texts by split",
        (
            Column("split", prepared.SPLITS),
            *(Column(title, [of[split] for split in prepared.SPLITS], ",d") for title, of in counts.items()),
            *(Column(title, [of[split] for split in prepared.SPLITS], ".2%") for title, of in shares.items()),
        ),
    )


def _frequencies(counts: np.ndarray, path: Path) -> Figure:
    """Frequency and coverage of the vocabulary by rank; `counts` (V,) begins with the unknown token."""
    title = "Token frequencies"
    drawing, (frequency, coverage) = plots.panels(2, title=title, height=2.8)
    total, counts = counts.sum(), np.sort(counts[1:])[::-1]
    counts = counts[counts > 0]
    ranks = np.arange(1, len(counts) + 1)
    frequency.loglog(ranks, counts, color=plots.COLOURS[0])
    frequency.set(title="frequency", xlabel="rank of the token", ylabel="occurrences in the training text")
    coverage.semilogx(ranks, counts.cumsum() / total, color=plots.COLOURS[0])
    coverage.set(title="coverage", xlabel="number of most frequent tokens", ylabel="share of the text", ylim=(0, 1.02))
    for axis in (frequency.xaxis, frequency.yaxis, coverage.xaxis):
        plots.label_log_axis(axis)
    plots.save(drawing, path)
    caption = (
        "Left: how often each token occurs in the training text, by rank; a straight line is Zipf's law. Right: the "
        "share of the text that the most frequent tokens cover."
    )
    return single_figure(title, caption, path, "Line plots of token frequency and of coverage by rank")


def _frequent(facts: LanguageFacts) -> Text:
    spans: list[Span] = ["Most frequent training tokens: "]
    for token, count in facts.frequent:
        spans += [Code(visible(token)), f" {count:,}, "]
    return Text(*spans[:-1], f"{str(spans[-1]).removesuffix(', ')}.")


def _beginning(tokens: np.ndarray, vocabulary: list[str], facts: LanguageFacts) -> str:
    characters = facts.token_kind == "characters"
    shown = [vocabulary[token] for token in tokens[: SAMPLE * (5 if characters else 1)]]
    return "".join(shown) if characters else " ".join(shown).replace(f" {vocabulary[facts.start]} ", "\n")

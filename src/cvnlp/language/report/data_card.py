"""The data card of texts: what was prepared, in numbers, tables and a look. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.report.run import visible
from cvnlp.report import plots

SAMPLE = 60  # words, or five times as many characters


def draw_card(data: Path, facts: LanguageFacts, folder: Path) -> list[str]:
    """The card as Markdown; its figure goes into `folder` and is linked by name."""
    vocabulary = files.read_json(data / "vocabulary.json")
    tokens = prepared.load_array(data, "train")
    _draw_ranks(np.bincount(tokens, minlength=len(vocabulary)), folder / "frequency.png")
    case = ", in lower case" if facts.lowercase else ""
    repeated = ", ".join(f"{facts.repeated_lines[split]:.1%} of {split}" for split in ("validation", "test"))
    return [
        f"Tokens: {facts.tokens}{case}. {facts.types:,} types in train; a vocabulary of "
        f"{facts.vocabulary_size:,} with `<unk>`. Held-out lines of 40 characters and more that stand in train "
        f"word for word: {repeated}.",
        "",
        _splits(facts).to_markdown(index=False, disable_numparse=True),
        "",
        "![How often each token stands in train, and the share of the text that the most frequent make up]"
        "({folder}/frequency.png)",
        "",
        f"The most frequent: {', '.join(f'`{visible(token)}` {count:,}' for token, count in facts.frequent)}.",
        "",
        "The training text begins:",
        "",
        "```text",
        _beginning(tokens, vocabulary, facts),
        "```",
        "",
    ]


def _splits(facts: LanguageFacts) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": split,
            "documents": f"{facts.documents[split]:,}",
            "lines": f"{facts.lines[split]:,}",
            "characters": f"{facts.characters[split]:,}",
            "tokens": f"{facts.counts[split]:,}",
            "in the vocabulary": f"{facts.coverage[split]:.2%}",
            "out of it": f"{facts.out_of_vocabulary[split]:.2%}",
        }
        for split in prepared.SPLITS
    )


def _draw_ranks(counts: np.ndarray, path: Path) -> None:
    """Zipf's plot, and how much of the text the first so many tokens cover; `counts` (V,) begins with the unknown."""
    figure, (frequency, coverage) = plots.panels(2, height=2.8)
    total, counts = counts.sum(), np.sort(counts[1:])[::-1]
    counts = counts[counts > 0]
    ranks = np.arange(1, len(counts) + 1)
    frequency.loglog(ranks, counts, color=plots.COLOURS[0])
    frequency.set(title="frequency", xlabel="rank of the token", ylabel="times in train")
    coverage.semilogx(ranks, counts.cumsum() / total, color=plots.COLOURS[0])
    coverage.set(title="coverage", xlabel="vocabulary: the first so many", ylabel="share of the text", ylim=(0, 1.02))
    plots.save(figure, path)


def _beginning(tokens: np.ndarray, vocabulary: list[str], facts: LanguageFacts) -> str:
    characters = facts.token_kind == "characters"
    shown = [vocabulary[token] for token in tokens[: SAMPLE * (5 if characters else 1)]]
    text = "".join(shown) if characters else " ".join(shown).replace(f" {vocabulary[facts.start]} ", "\n")
    return text.strip("\n").replace("```", "'''")

"""Chapters on words as vectors, and on generated text."""

from collections.abc import Iterator

import pandas as pd

from cvnlp import files
from cvnlp.language.report.chapters.prediction import RECURRENT
from cvnlp.language.report.insight import GENERATED, temperatures
from cvnlp.params.runs import LanguageRun
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import Element, Section
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import listed, percent

BENGIO = Paper("Bengio et al. 2003", "https://www.jmlr.org/papers/v3/bengio03a.html")
MIKOLOV = Paper("Mikolov et al. 2013", "https://arxiv.org/abs/1301.3781")
HOLTZMAN = Paper("Holtzman et al. 2020", "https://arxiv.org/abs/1904.09751")


def vectors(results: Results) -> Section:
    """Words, or characters, near each other in the embedding."""
    found = [run for run in results.runs if (run.paths.insight / "projection.csv").is_file()]
    run = next((one for one in found if _of_words(one)), found[0] if found else None)
    sentences = list(_vectors(run)) if run else []
    sources = Sources(("language/insight", "language/models/recurrent.py"), run, [BENGIO, MIKOLOV])
    return chapter("Words as vectors", "vectors", sentences, results.shown(run, "embedding.png"), sources, results)


def _of_words(run: RunResults) -> bool:
    return isinstance(run.block, LanguageRun) and run.block.dataset.endswith("words")


def _vectors(run: RunResults) -> Iterator[str]:
    yield f"The first layer of {run.name} gives every token a vector, learned only by predicting what comes next."
    path = run.paths.insight / "relations.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    table = table[table["vectors"] == "input"] if len(table) else table
    shares = [
        f"'{row['relation']}' {percent(row['accuracy'])} (by chance {percent(row['chance'])})"
        for row in table.to_dict("records")
    ]
    if shares:
        yield f"Relations that its vectors solve by addition and subtraction: {listed(shares)}."


def samples(results: Results) -> Section:
    """Generated texts by temperature, and how much of them is copied."""
    run = results.first(*RECURRENT) or results.first("ngram")
    sentences, elements = [], list[Element]()
    if run:
        texts = files.read_json(run.paths.insight / "samples.json")
        elements = [*results.shown(run, GENERATED)]
        sentences = list(_copies(run, texts))
    sources = Sources(("language/inference",), run, [HOLTZMAN])
    return chapter("Generated text", "samples", sentences, elements, sources, results)


def _copies(run: RunResults, texts: dict[str, dict[str, float]]) -> Iterator[str]:
    longest = max(int(texts[one]["longest"]) for one in temperatures(texts))
    yield (
        f"{run.name} writes by drawing one token after the other from its own predictions. The longest span that it "
        f"has copied word for word from the training text has {longest} tokens; in the validation text, which only "
        f"agrees by coincidence, the longest has {int(texts['validation']['longest'])}."
    )


CHAPTERS = (vectors, samples)

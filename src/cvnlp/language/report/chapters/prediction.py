"""Chapters on predicting the next token: what a language model is, n-grams, and recurrent networks."""

import math
from collections.abc import Iterator

from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.report.run import excerpt
from cvnlp.params.runs import LanguageRun
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import Section
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import number, sentence

RECURRENT = ("lstm", "gru", "rnn")  # the first one that was run is shown
SHANNON = Paper("Shannon 1951", "https://doi.org/10.1002/j.1538-7305.1951.tb01366.x")
CHEN = Paper("Chen and Goodman 1999", "https://doi.org/10.1006/csla.1999.0128")
ELMAN = Paper("Elman 1990", "https://doi.org/10.1207/s15516709cog1402_1")
MIKOLOV = Paper("Mikolov et al. 2010", "https://doi.org/10.21437/Interspeech.2010-343")


def language_modelling(results: Results) -> Section:
    """The task, and what its score means."""
    run = results.first(*RECURRENT) or results.first("ngram")
    sentences = list(_uncertainty(run)) if run else []
    sources = Sources(("language/metrics.py", "language/evaluation"), run, [SHANNON])
    elements = [excerpt(run.paths.evaluation / "excerpt.json")] if run else []
    return chapter("Language modelling: the next token", "language-modelling", sentences, elements, sources, results)


def _uncertainty(run: RunResults) -> Iterator[str]:
    facts = prepared.read_facts(run.paths.prepared)
    if not isinstance(facts, LanguageFacts):
        return
    yield (
        "A language model gives each possible next token a probability. Its loss is the mean negative logarithm of the "
        f"probability of the token that follows: {number(run.score)} nats for {run.name} on the held-out text of "
        f"{run.block.dataset}."
    )
    yield (
        f"That is as uncertain as an even choice among {number(math.exp(run.score))} tokens (its perplexity); guessing "
        f"would be a choice among {facts.vocabulary_size:,}, {number(math.log(facts.vocabulary_size))} nats."
    )


def n_grams(results: Results) -> Section:
    """Counting, and where networks become better."""
    counting = [run for run in results.runs if run.network == "ngram"]
    sentences = [text for run in counting for text in _counting(run, results)]
    run = counting[0] if counting else None
    sources = Sources(("language/models/ngram.py",), run, [CHEN])
    elements = results.overall("all-language", "learning.png")
    return chapter("N-grams: counting", "n-grams", sentences, elements, sources, results)


def _counting(run: RunResults, results: Results) -> Iterator[str]:
    order = getattr(run.block.model, "order", None)
    yield (
        f"{run.name} counts sequences of up to {order} tokens, {run.training['parameters']:,} of them, and smooths the "
        f"counts after Kneser and Ney: {number(run.score)} nats per token on {run.block.dataset}."
    )
    others = [other for other in results.on(run.block.dataset) if other.network != "ngram"]
    for other in others:
        yield sentence(other.against(run))


def recurrent(results: Results) -> Section:
    """The Elman network, and how it is trained."""
    run = results.first("rnn")
    sentences = list(_elman(run, results)) if run else []
    sources = Sources(("language/models/recurrent.py", "language/training"), run, [ELMAN, MIKOLOV])
    elements = [excerpt(run.paths.evaluation / "excerpt.json")] if run else []
    return chapter("Recurrent networks and their training", "rnn", sentences, elements, sources, results)


def _elman(run: RunResults, results: Results) -> Iterator[str]:
    block = run.block
    if not isinstance(block, LanguageRun):
        return
    yield (
        f"A recurrent network reads one token after the other and keeps a state. {run.name} has "
        f"{run.training['parameters']:,} parameters; its gradient goes back {block.train.window} steps, and the "
        "state is carried on without it."
    )
    yield f"It reaches {number(run.score)} nats after {run.training['examples']:,} tokens."
    for other in results.on(block.dataset):
        if other.network in ("gru", "lstm"):
            yield sentence(other.against(run))


CHAPTERS = (language_modelling, n_grams, recurrent)

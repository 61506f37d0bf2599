"""Chapters on long-term dependencies, and on the gates of the LSTM."""

from collections.abc import Iterator

import pandas as pd

from cvnlp.language.report import state
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import Section
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import listed, number, percent

BENGIO = Paper("Bengio, Simard and Frasconi 1994", "https://doi.org/10.1109/72.279181")
PASCANU = Paper("Pascanu et al. 2013", "https://arxiv.org/abs/1211.5063")
HOCHREITER = Paper("Hochreiter and Schmidhuber 1997", "https://doi.org/10.1162/neco.1997.9.8.1735")
GERS = Paper("Gers et al. 2000, forget gates", "https://doi.org/10.1162/089976600300015015")
KARPATHY = Paper("Karpathy et al. 2015", "https://arxiv.org/abs/1506.02078")
FAR = 20  # steps back, of the gradient that the sentences are about


def long_term(results: Results) -> Section:
    """How far back the gradient reaches, and how far back a symbol is recalled."""
    runs = [run for run in results.runs if f"gradient_{FAR}" in run.insights]
    sentences = [*_gradients(runs), *_recall(runs)] if runs else []
    run = results.first("rnn") or (runs[0] if runs else None)
    datasets = dict.fromkeys(one.block.dataset for one in runs)
    drawings = [f"context-{name}.png" for name in list(datasets)[:1]]
    sources = Sources(("language/insight/recall.py", "language/insight"), run, [BENGIO, PASCANU])
    elements = results.overall("all-language", *drawings, "recall.png")
    return chapter("Long-term dependencies", "long-term", sentences, elements, sources, results)


def _gradients(runs: list[RunResults]) -> Iterator[str]:
    shares = [f"{percent(run.insights[f'gradient_{FAR}'])} in {run.name}" for run in runs]
    yield (
        f"The gradient of a loss with respect to a token {FAR} steps back is a fraction of that of the last token: "
        f"{listed(shares)}. What is too small cannot be learned from."
    )


def _recall(runs: list[RunResults]) -> Iterator[str]:
    found = {run.name: pd.read_csv(path) for run in runs if (path := run.paths.insight / "recall.csv").is_file()}
    if not found:
        return
    far = {name: table.iloc[-1] for name, table in found.items()}
    distance = next(iter(far.values()))
    shares = [f"{percent(row['accuracy'])} with the unit of {name}" for name, row in far.items()]
    yield (
        f"Small networks trained to recall a symbol from up to {distance['trained']:.0f} steps back recall it "
        f"from {distance['steps_back']:.0f}: {listed(shares)}; guessing is right in {percent(distance['chance'])}."
    )


def gates(results: Results) -> Section:
    """The LSTM: its score, its gates along a text, and units with a meaning."""
    run = results.first("lstm", "gru")
    sentences = list(_gates(run)) if run else []
    sources = Sources(("language/models/recurrent.py", "language/insight"), run, [HOCHREITER, GERS, KARPATHY])
    place = run.paths.insight if run and (run.paths.insight / "states.json").is_file() else None
    elements = [*state.gates(place), *state.activations(place)] if place else []
    return chapter("LSTM and its gates", "lstm", sentences, elements, sources, results)


def _gates(run: RunResults) -> Iterator[str]:
    yield (
        f"{run.name} ({run.network.upper()}) has gates that decide what its state forgets, stores and shows. The "
        "colours below are their mean opening after each token."
    )
    units = {name: float(value) for name, value in run.insights.items() if name.startswith("unit_")}
    if units:
        name = max(units, key=lambda one: abs(units[one]))
        yield (
            f"One unit follows the quantity '{name.removeprefix('unit_').replace('_', ' ')}' with a correlation of "
            f"{number(units[name])} on text that was not used to find it, though nothing in training asked for it."
        )


CHAPTERS = (long_term, gates)

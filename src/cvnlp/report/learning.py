"""Learning curves of the runs of either half, and where networks become better than a model that only counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from cvnlp.report import plots
from cvnlp.report.elements import Figure, single_figure
from cvnlp.report.labels import short_label

BAND = "The line of a run with several seeds is their mean, with a band of one standard deviation on both sides."
MILLION, THOUSAND = 1_000_000, 1_000


@dataclass(frozen=True)
class LearningCurves:
    """The metric of the histories that shows how a half's runs learn; `caption` says what to see.

    `unit`: of the examples of a training. `lower_is_better`: the metric is a loss.
    """

    metric: str
    label: str
    title: str
    caption: str
    unit: str
    lower_is_better: bool


@dataclass(frozen=True)
class Training:
    """The history of a run, a row per epoch, on its data set, and the number of examples of the whole training.

    `seeds`: the histories of its other seeds.
    """

    dataset: str
    history: pd.DataFrame
    examples: int
    seeds: tuple[pd.DataFrame, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the run has learned in a single pass without steps, as an n-gram does."""
        return len(self.history) == 1

    def read(self) -> pd.Series:
        """The number of examples trained on at the end of each epoch."""
        steps = self.history["step"]
        return steps / steps.iloc[-1] * self.examples

    def over_seeds(self, metric: str) -> pd.DataFrame:
        """Columns `mean` and `std` of a metric over all seeds, for the epochs that all of them have."""
        values = pd.concat([one[metric] for one in (self.history, *self.seeds)], axis="columns", join="inner")
        return pd.DataFrame({"mean": values.mean(axis="columns"), "std": values.std(axis="columns")})


def learning_curves(shown: LearningCurves, runs: Mapping[str, Training], path: Path) -> list[Figure]:
    """The metric against the examples trained on, a line per run and a plot per data set; nothing without an epoch."""
    trained = {run: training for run, training in runs.items() if len(training.history)}
    names = list(dict.fromkeys(training.dataset for training in trained.values()))
    if not names:
        return []
    drawing, axes = plots.panels(len(names), title=shown.title)
    styles = plots.line_styles(runs)
    for axis, name in zip(axes, names, strict=True):
        _draw(axis, shown, {run: one for run, one in trained.items() if one.dataset == name}, styles)
        axis.set(title=short_label(name), ylabel=shown.label)
    plots.save(drawing, path)
    alternative = f"Line plots of the {shown.label}, by {shown.unit} trained on, for {', '.join(trained)}"
    band = [BAND] if any(training.seeds for training in trained.values()) else []
    caption = " ".join([shown.caption, *band, *crossings(shown, trained)])
    return [single_figure(shown.title, caption, path, alternative)]


def _draw(axis: Axes, shown: LearningCurves, runs: Mapping[str, Training], styles: plots.Styles) -> None:
    """A line per run; of a model that counts a horizontal one, for it has a single score."""
    networks = [training for training in runs.values() if not training.counts]
    scale, word = _scale(max((training.examples for training in networks), default=0))
    for run, training in runs.items():
        values, label = training.history[shown.metric], short_label(run)
        if training.counts and networks:
            axis.axhline(values.iloc[0], **styles[run], label=label)
        elif training.seeds:
            _draw_band(axis, training.read() / scale, training.over_seeds(shown.metric), styles[run], label)
        else:
            axis.plot(training.read() / scale, values, **styles[run], marker="o", markersize=3, label=label)
    axis.set_xlabel(f"{word} {shown.unit} trained on".strip())
    axis.legend()


def _draw_band(axis: Axes, read: pd.Series, values: pd.DataFrame, style: Mapping[str, Any], label: str) -> None:
    read, mean, std = read[: len(values)], values["mean"], values["std"]
    axis.plot(read, mean, **style, marker="o", markersize=3, label=label)
    axis.fill_between(read, mean - std, mean + std, color=style["color"], alpha=0.2, linewidth=0)


def _scale(examples: int) -> tuple[int, str]:
    if examples >= MILLION:
        return MILLION, "million"
    return (THOUSAND, "thousand") if examples >= THOUSAND else (1, "")


def crossings(shown: LearningCurves, runs: Mapping[str, Training]) -> list[str]:
    """For each model that counts, a sentence on the networks of the same data set that become better, and when."""
    found = [
        _crossing(shown, name, one, {run: other for run, other in runs.items() if other.dataset == one.dataset})
        for name, one in runs.items()
        if one.counts
    ]
    return [sentence for sentence in found if sentence]


def _crossing(shown: LearningCurves, name: str, counting: Training, runs: Mapping[str, Training]) -> str:
    level = counting.history[shown.metric].iloc[0]
    found, never = [], []
    for run, training in runs.items():
        if training.counts:
            continue
        values = training.history[shown.metric].to_numpy()
        better = values < level if shown.lower_is_better else values > level
        if not better.any():
            never.append(run)
            continue
        scale, word = _scale(training.examples)
        found.append(f"{run} after {training.read().iloc[better.argmax()] / scale:.3g} {word} {shown.unit}")
    parts = [f"better than {name}: {', '.join(found)}"] if found else []
    parts += [f"never better than {name}: {', '.join(never)}"] if never else []
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""

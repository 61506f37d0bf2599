"""The section on the search for better settings of a run, if `cvnlp tune` has made one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from cvnlp import files
from cvnlp.paths import RunPaths
from cvnlp.report import plots
from cvnlp.report.elements import Column, Element, Figure, Section, Table, single_figure
from cvnlp.report.labels import label_room, short_label

TITLE = "Search for better settings"
STATES = {"complete": plots.COLOURS[0], "pruned": plots.GREY, "failed": plots.COLOURS[1]}
WIDTH, HEIGHT = 2.8, 2.5  # inches, of a plot of one setting
PER_ROW = 4  # of these plots


def section(run: RunPaths) -> list[Section]:
    """Table and figures of all trials; nothing without a search. Trials by `cvnlp tune` do not touch the test split."""
    summary = run.trials.with_suffix(".json")
    if not (run.trials.is_file() and summary.is_file()):
        return []
    found, trials = files.read_json(summary), pd.read_csv(run.trials)
    found["ranges"] = {key: found["ranges"][key] for key in trials.columns if key in found["ranges"]}  # in their order
    elements: list[Element] = [_table(found, trials)]
    if trials["score"].notna().any():
        elements += [_history(found, trials, run.figures / "tuning_history.png")]
        elements += [_slices(found, trials, run.figures / "tuning_settings.png")]
    if found["importance"]:
        elements.append(_importance(_sorted(found["importance"]), run.figures / "tuning_importance.png"))
    return [Section(TITLE, tuple(elements))]


def _metric(found: Mapping[str, Any]) -> str:
    return str(found["metric"]).replace("_", " ").replace("nll", "loss, nats")


def _table(found: Mapping[str, Any], trials: pd.DataFrame) -> Table:
    """The values of params.yaml at the time of the search, and the best ones."""
    trial = {name: found[name] for name in ("present", "best") if found[name]}
    columns = [Column("setting", [*found["ranges"], _metric(found)])]
    for name, one in trial.items():
        values = [one["values"][key] for key in found["ranges"]]
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        columns.append(Column(f"{name} (trial {one['trial']})", [*cells, f"{one['score']:.4g}"]))
    counts = ", ".join(f"{(trials['state'] == state).sum()} {state}" for state in STATES)
    caption = (
        f"The values of params.yaml when the search was made and the best ones, by the best epoch on the validation "
        f"split. Trials: {counts}. A pruned trial was worse than the median of the others at the same epoch."
    )
    return Table("Present and best settings", tuple(columns), caption)


def _history(found: Mapping[str, Any], trials: pd.DataFrame, path: Path) -> Figure:
    title = "Scores of the trials"
    drawing, (axis,) = plots.panels(1, title=title, width=5.5)
    scored = trials[trials["score"].notna()]
    axis.plot(scored["trial"], scored["score"], "o", color=STATES["complete"], markersize=4, label="complete")
    best = scored["score"].cummin() if found["lower_is_better"] else scored["score"].cummax()
    axis.step(scored["trial"], best, where="post", color=plots.COLOURS[2], label="best so far")
    for state in ("pruned", "failed"):
        _mark(axis, trials.loc[trials["state"] == state, "trial"], state)
    axis.set(xlabel="trial", ylabel=_metric(found))
    _logarithmic(axis, scored["score"])
    drawing.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    plots.save(drawing, path)
    caption = "The score of every complete trial and the best one so far. Marks below: trials without a score."
    return single_figure(title, caption, path, f"Scatter plot of the {_metric(found)} of {len(trials)} trials")


def _mark(axis: Axes, places: pd.Series, state: str) -> None:
    """Short marks on the x axis."""
    if len(places):
        place = axis.get_xaxis_transform()
        axis.plot(places, [0.02] * len(places), "|", color=STATES[state], transform=place, label=state, markersize=8)


def _slices(found: Mapping[str, Any], trials: pd.DataFrame, path: Path) -> Figure:
    """A plot of the score for each setting."""
    ranges, title = found["ranges"], "Score by setting"
    drawing, axes = _grid(len(ranges), title)
    scored = trials[trials["score"].notna()]
    for axis, key in zip(axes, ranges, strict=False):
        _slice(axis, key, ranges[key], scored)
    for axis in axes[::PER_ROW]:
        axis.set_ylabel(_metric(found))
    for axis in axes[len(ranges) :]:
        axis.set_visible(False)
    plots.save(drawing, path)
    caption = "All complete trials, a plot for each setting, from early (light) to late (dark) ones."
    return single_figure(title, caption, path, f"Scatter plots of the {_metric(found)} by {', '.join(ranges)}")


def _grid(count: int, title: str) -> tuple[Drawing, list[Axes]]:
    """Rows of plots of one size, under a title."""
    rows, columns = -(-count // PER_ROW), min(count, PER_ROW)
    wrapped, room = plots.figure_title(title, WIDTH * columns)
    drawing = plt.figure(figsize=(WIDTH * columns, HEIGHT * rows + room), layout="constrained")
    drawing.suptitle(wrapped)
    return drawing, list(drawing.subplots(rows, columns, squeeze=False, sharey=True).flat)


def _slice(axis: Axes, key: str, values: Mapping[str, Any], scored: pd.DataFrame) -> None:
    if "choice" in values:
        names = [str(value) for value in values["choice"]]
        shown: Any = [names.index(str(value)) if str(value) in names else -1 for value in scored[key]]
        axis.set_xticks(range(len(names)), [short_label(name) for name in names])
    else:
        shown = scored[key]
    axis.scatter(shown, scored["score"], c=scored["trial"], cmap="Blues", vmin=-len(scored), s=14)
    axis.set_xlabel(key)
    if "log_uniform" in values:
        axis.set_xscale("log")
        plots.label_log_axis(axis.xaxis)
    _logarithmic(axis, scored["score"])


def _logarithmic(axis: Axes, scores: pd.Series) -> None:
    """A logarithmic axis for positive scores that differ by more than a power of ten."""
    if scores.min() > 0 and scores.max() > 10 * scores.min():
        axis.set_yscale("log")
        plots.label_log_axis(axis.yaxis)


def _sorted(shares: Mapping[str, float]) -> dict[str, float]:
    """The most important setting first."""
    return dict(sorted(shares.items(), key=lambda one: -one[1]))


def _importance(shares: Mapping[str, float], path: Path) -> Figure:
    title = "Importance of the settings"
    room = label_room(map(short_label, shares))
    drawing, (axis,) = plots.panels(1, title=title, width=4.2 + room, height=0.35 * len(shares) + 1.1)
    bars = axis.barh(range(len(shares)), list(shares.values()), color=plots.COLOURS[0])
    axis.bar_label(bars, [f"{share:.0%}" for share in shares.values()], padding=2, fontsize=8)
    axis.set_yticks(range(len(shares)), [short_label(name) for name in shares])
    axis.invert_yaxis()
    axis.set(xlabel="share of the variance of the score", xlim=(0, 1.1 * max(shares.values())))
    axis.grid(visible=False, axis="y")
    plots.save(drawing, path)
    caption = "The share of the variance of the score that each setting explains by itself, estimated by fANOVA."
    return single_figure(title, caption, path, f"Bars of the importance of {', '.join(shares)}")

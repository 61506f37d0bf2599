"""Seconds of training until a validation score reaches a level, in processes of their own.

A training, ours or the baseline, prints what it `Reached`. Only the steps of training count, not the start, the reading
of the data, or validation.
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from bench.results import Pairs


class Reached(BaseModel):
    """`seconds`: level -> seconds to the first validation that reached it, None if none did; `total` of the training;
    `best`: the best validation score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: dict[str, float | None]
    total: float
    best: float


Training = Callable[[int], Reached]  # from the number of the round, which is its seed


def first_times(
    scores: Sequence[float], marks: Sequence[float], levels: Sequence[float], *, higher: bool = True
) -> Reached:
    """`marks`: seconds of training before each validation."""
    sign = 1 if higher else -1
    found = {
        str(level): next((mark for score, mark in zip(scores, marks, strict=True) if sign * (score - level) >= 0), None)
        for level in levels
    }
    return Reached(seconds=found, total=marks[-1], best=sign * max(sign * score for score in scores))


def reached(result: Reached, levels: Sequence[float]) -> bool:
    return all(result.seconds[str(level)] is not None for level in levels)


def compare(ours: Mapping[float, Training], baseline: Training, rounds: int) -> dict[str, Pairs]:
    """For each level our training to it, and one baseline for all levels, in turn. ValueError if ours missed its level.

    Where the baseline does not reach a level in any round, its whole training counts for it; where it misses one in
    some rounds only, these rounds do the same.
    """
    found: dict[float, list[tuple[float, float, bool, float]]] = {level: [] for level in ours}
    for number in range(rounds):
        mine = {level: training(number + 1) for level, training in ours.items()}
        other = baseline(number + 1)
        for level, result in mine.items():
            own, theirs = result.seconds[str(level)], other.seconds[str(level)]
            if own is None:
                raise ValueError(f"the training to {level} reached only {result.best}")
            found[level].append((own, theirs or other.total, theirs is not None, other.best))
    return {str(level): _pairs(rows) for level, rows in found.items()}


def _pairs(rows: Sequence[tuple[float, float, bool, float]]) -> Pairs:
    ours, baseline, hit, best = zip(*rows, strict=True)
    return Pairs(
        ours=list(ours), baseline=list(baseline), baseline_reached=all(hit), details={"baseline_best": max(best)}
    )

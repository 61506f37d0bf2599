"""Sentences made from numbers: they stay true when the numbers change. A difference within its interval is none."""

from collections.abc import Sequence

from cvnlp.significance.difference import Difference

SMALLEST_P = 0.001  # below it, only that is stated


def percent(share: float) -> str:
    """`97.8%`; a share that is not 0 or 1 is not rounded to it."""
    shown = f"{share:.1%}"
    if shown == "100.0%" and share < 1:
        return "more than 99.9%"
    return "less than 0.1%" if shown == "0.0%" and share > 0 else shown


def number(value: float) -> str:
    """Three significant digits; whole numbers from 1,000 on, with separators."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def compared(first: str, second: str, found: Difference, *, higher_is_better: bool, points: bool) -> str:
    """A clause: which of two runs is better, by how much, and whether that may be random.

    `points`: the score is a share, and its difference is given in percentage points; else in nats.
    """
    size, unit = (100 * abs(found.value), "percentage points") if points else (abs(found.value), "nats")
    amount = f"{size:.1f} {unit}" if points else f"{size:.3f} {unit}"
    if found.random is None:
        return f"{first} and {second} differ by {amount}, which was not tested"
    if found.random:
        return f"the difference between {first} and {second} ({amount}) may be random"
    better = (found.value > 0) == higher_is_better
    return f"{first} is {'better' if better else 'worse'} than {second} by {amount}{_evidence(found)}"


def _evidence(found: Difference) -> str:
    if found.p_value is None:
        return ""
    return f" (p < {SMALLEST_P})" if found.p_value < SMALLEST_P else f" (p = {found.p_value:.2g})"


def sentence(clause: str) -> str:
    """The clause with a capital letter and a full stop; names of runs keep their case."""
    head, _, tail = clause.partition(" ")
    starts_plain = head in {"the", "no", "none", "all", "each", "on", "in", "of", "for"}
    return f"{head.capitalize() if starts_plain else head} {tail}".strip().rstrip(".") + "."

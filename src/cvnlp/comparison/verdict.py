"""Whether one run is significantly better than another on the same test set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cvnlp import domains
from cvnlp.comparison.evidence import Evidence, check_comparable
from cvnlp.significance.difference import Difference
from cvnlp.significance.statistics import holm


class Outcome(StrEnum):
    """`SAME`: the difference may be random. `UNKNOWN`: neither a test nor an interval of the difference is possible."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no significant difference"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """The run `first` against `second` by the score `score`; `difference` is first minus second.

    `higher_is_better`: of the score. `notes`: what could not be checked, or is missing.
    """

    first: str
    second: str
    score: str
    higher_is_better: bool
    difference: Difference
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        if self.difference.random is None:
            return Outcome.UNKNOWN
        if self.difference.random:
            return Outcome.SAME
        return Outcome.BETTER if (self.difference.value > 0) == self.higher_is_better else Outcome.WORSE

    @property
    def better(self) -> bool:
        """Whether the first run is significantly better than the second."""
        return self.outcome is Outcome.BETTER


def better(first: Evidence, second: Evidence) -> Verdict:
    """Compare two runs by the main score of their half, paired by example where both have the results of examples.

    ValueError if they were not evaluated on the same test set.
    """
    notes = check_comparable(first, second)
    room = domains.DOMAINS[first.domain].comparison
    missing = [one.name for one in (first, second) if one.examples is None]
    if first.examples is not None and second.examples is not None:
        difference = first.examples.difference(second.examples)
    else:
        difference = room.unpaired_difference(first.scores, second.scores)
        notes.append(f"no paired test: {' and '.join(missing)} without the results of single examples")
    return Verdict(first.name, second.name, room.SCORE, room.HIGHER_IS_BETTER, difference, tuple(notes))


def adjusted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The same with p-values adjusted for the number of tests by Holm's method; intervals stay as they are."""
    tested = [place for place, verdict in enumerate(verdicts) if verdict.difference.p_value is not None]
    found = list(verdicts)
    values = [value for verdict in verdicts if (value := verdict.difference.p_value) is not None]
    for place, p_value in zip(tested, holm(values), strict=True):
        found[place] = replace(found[place], difference=replace(found[place].difference, p_value=p_value))
    return found

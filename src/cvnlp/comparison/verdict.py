"""Whether one run is significantly better than another on the same test set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cvnlp import domains
from cvnlp.comparison.evidence import Evidence, check_comparable
from cvnlp.significance.difference import Difference
from cvnlp.significance.over_seeds import welch
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

    `higher_is_better`: of the score. `notes`: what could not be checked, or is missing. `over_seeds`: the difference of
    the means over seeds, None unless both runs have several.
    """

    first: str
    second: str
    score: str
    higher_is_better: bool
    difference: Difference
    notes: tuple[str, ...] = ()
    over_seeds: Difference | None = None

    @property
    def outcome(self) -> Outcome:
        return self.outcome_of(self.difference)

    def outcome_of(self, difference: Difference) -> Outcome:
        """What a difference of this score means."""
        if difference.random is None:
            return Outcome.UNKNOWN
        if difference.random:
            return Outcome.SAME
        return Outcome.BETTER if (difference.value > 0) == self.higher_is_better else Outcome.WORSE

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
    seeds = over_seeds(first, second, room.SCORE)
    return Verdict(first.name, second.name, room.SCORE, room.HIGHER_IS_BETTER, difference, tuple(notes), seeds)


def over_seeds(first: Evidence, second: Evidence, score: str) -> Difference | None:
    """Welch's test of the means over seeds; None unless both runs have the score for several seeds."""
    values = [one.seeds.scores.get(score, ()) if one.seeds else () for one in (first, second)]
    return welch(*values) if min(map(len, values)) > 1 else None


def adjusted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The same with p-values adjusted for the number of tests by Holm's method; intervals stay as they are.

    Tests on examples and tests over seeds are two families.
    """
    paired = _adjusted([one.difference for one in verdicts])
    seeds = _adjusted([one.over_seeds for one in verdicts])
    return [
        replace(verdict, difference=difference or verdict.difference, over_seeds=over)
        for verdict, difference, over in zip(verdicts, paired, seeds, strict=True)
    ]


def _adjusted(differences: Sequence[Difference | None]) -> list[Difference | None]:
    tested = [place for place, one in enumerate(differences) if one is not None and one.p_value is not None]
    found = list(differences)
    values = [one.p_value for one in differences if one is not None and one.p_value is not None]
    for place, p_value in zip(tested, holm(values), strict=True):
        tests = found[place]
        found[place] = tests and replace(tests, p_value=p_value)
    return found

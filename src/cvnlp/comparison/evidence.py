"""What is known of a run on the test split: its scores, the test set, and the result of every example."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cvnlp.significance.difference import Examples
from cvnlp.significance.over_seeds import SeedScores


@dataclass(frozen=True)
class TestSet:
    """`count` of its examples; `digest` of its arrays, None if unknown; `data`: params of the data set."""

    __test__ = False  # for pytest, the name begins with Test

    count: int
    digest: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """`name` as the user gave it; `scores`: those of reports/scores; `examples`: None where only scores exist.

    `seeds`: scores over several seeds, None for a run with one.
    """

    name: str
    domain: str
    scores: Mapping[str, float]
    test_set: TestSet
    examples: Examples | None = None
    seeds: SeedScores | None = None


def check_comparable(first: Evidence, second: Evidence) -> list[str]:
    """ValueError if the test sets differ; otherwise notes on what could not be checked."""
    names, (one, other) = f"{first.name} and {second.name}", (first.test_set, second.test_set)
    if first.domain != second.domain:
        raise ValueError(f"{names} have no score in common: {first.domain} and {second.domain}")
    if one.count != other.count:
        raise ValueError(f"{names} were evaluated on different test sets: {one.count:,} and {other.count:,} examples")
    if one.digest and other.digest:
        if one.digest != other.digest:
            raise ValueError(f"{names} were evaluated on different test sets, of {one.count:,} examples each")
        return []
    differing = sorted(key for key in {*one.data, *other.data} if one.data.get(key) != other.data.get(key))
    if differing:
        raise ValueError(f"{names} were evaluated on different test sets: their data differ in {', '.join(differing)}")
    return [f"{names}: equal test sets are assumed, for the params of the data and the number of examples are equal"]

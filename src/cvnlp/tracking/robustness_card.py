"""The model card's section on robustness: the score under attack, the worst case, and flags that put it in doubt."""

import re
from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

from cvnlp import files
from cvnlp.params.attacks import LanguageAttack, VisionAttack
from cvnlp.params.option_types import number_key
from cvnlp.paths import RunPaths
from cvnlp.report.elements import Column, Element, Number, Numbers, Section, Table, Text

Scores = Mapping[str, float]
WORST = "worst_case"
STRENGTH = r"(\d[\d.e+-]*)"  # as number_key writes it
NORMS = {"linf": "largest change of a pixel, of a range from 0 to 1", "l2": "Euclidean length of the perturbation"}
OTHERS = {  # scores without a strength
    "spatial": "worst rotation and shift",
    "corrupted": "mean over corruptions",
}


def robustness(options: VisionAttack | LanguageAttack, run: RunPaths) -> Iterator[Element]:
    """The scores without and under attack; nothing before the stage `attack` has run."""
    if not run.attacks.is_file():
        return
    found = files.read_scores(run.attacks)
    metric = next((name.removesuffix("_clean") for name in found if name.endswith("_clean")), "")
    by_attack = _by_attack(found, metric)
    if by_attack:
        text = Text(f"The {metric} under each attack, by strength: {strength(options)}. {worst_case(options)}")
        table = _table(metric, by_attack, _interval(found, metric))
        yield Section("Robustness", (text, table, _others(found, metric), *_flags(found)))


@singledispatch
def strength(options: Any) -> str:
    """What the strength of an attack is."""
    raise TypeError(f"{type(options).__name__} is no block `attack`")


@strength.register
def _(options: VisionAttack) -> str:
    return f"eps, the {NORMS[options.norm]}"


@strength.register
def _(options: LanguageAttack) -> str:
    return "the share of the tokens that may change"


@singledispatch
def worst_case(options: Any) -> str:
    """What the worst case is."""
    raise TypeError(f"{type(options).__name__} is no block `attack`")


@worst_case.register
def _(options: VisionAttack) -> str:
    return "Worst case: the share of the images that no attack breaks."


@worst_case.register
def _(options: LanguageAttack) -> str:
    return "Worst case: each excerpt under the attack that raises its loss most."


def _by_attack(found: Scores, metric: str) -> dict[str, dict[float, float]]:
    """Attack -> strength -> score; the worst case is last."""
    table: dict[str, dict[float, float]] = {}
    for name, value in found.items():
        if match := re.fullmatch(rf"{metric}_(.+)_{STRENGTH}", name):
            table.setdefault(match[1], {})[float(match[2])] = value
    return dict(sorted(table.items(), key=lambda entry: entry[0] == WORST))


def _interval(found: Scores, metric: str) -> dict[str, dict[float, float]]:
    """Both ends of the interval of the worst case, by strength."""
    ends: dict[str, dict[float, float]] = {"low": {}, "high": {}}
    for name, value in found.items():
        if match := re.fullmatch(rf"(?:interval|{metric})_{WORST}_{STRENGTH}_(low|high)", name):
            ends[match[2]][float(match[1])] = value
    return ends


def _table(metric: str, by_attack: dict[str, dict[float, float]], ends: dict[str, dict[float, float]]) -> Table:
    """A row per attack, a column per strength; strengths are numbers, so that 0.05 comes before 0.1 and 1e-05."""
    rows = {name.replace("_", " "): values for name, values in by_attack.items()}
    rows |= {f"95 % interval of the worst case, {end}": values for end, values in ends.items() if values}
    strengths = sorted({one for values in rows.values() for one in values})
    columns = [Column(number_key(one), [values.get(one) for values in rows.values()], ",.4g") for one in strengths]
    return Table(f"{metric.capitalize()} under attack", (Column("attack", list(rows)), *columns))


def _others(found: Scores, metric: str) -> Numbers:
    """The score without an attack, and those of tests that have no strength."""
    numbers = [Number("without an attack", found[f"{metric}_clean"], format=",.4g")]
    numbers += [
        Number(label, found[f"{metric}_{name}"], format=",.4g")
        for name, label in OTHERS.items()
        if f"{metric}_{name}" in found
    ]
    for name, value in found.items():
        if match := re.fullmatch(rf"certified_{metric}_{STRENGTH}", name):
            numbers.append(Number(f"certified within L2 radius {match[1]}, with added noise", value, format=",.4g"))
    return Numbers(metric.capitalize(), tuple(numbers))


def _flags(found: Scores) -> Iterator[Text]:
    """A sentence that names the raised flags; none for scores without any."""
    flags = {name.removeprefix("flag_"): value for name, value in found.items() if name.startswith("flag_")}
    raised = [name.replace("_", " ") for name, value in flags.items() if value]
    if raised:
        yield Text(f"Flags raised: {', '.join(raised)}. The model may be less robust than these numbers say.")
    elif flags:
        yield Text(f"None of {len(flags)} checks found a sign that the attacks are too weak.")

"""On which machines, with which versions and from which commits the benchmarks were measured."""

from collections.abc import Iterable, Mapping
from typing import Any

from cvnlp.report.elements import Column, Table

# key of a measurement -> title of its column
MACHINE = {
    "processor": "processor",
    "processors": "processors",
    "threads": "threads",
    "device": "device",
    "system": "system",
    "torch": "torch",
    "python": "Python",
}


def machine_table(title: str, measured: Iterable[Mapping[str, Any]]) -> Table:
    """A row for each machine: the number of measurements, their dates and commits."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for one in measured:
        groups.setdefault(tuple(str(one[key]) for key in MACHINE), []).append(one)
    days = [sorted(one["date"][:10] for one in members) for members in groups.values()]
    return Table(
        title,
        (
            Column("measurements", [len(members) for members in groups.values()], ",d"),
            *(Column(name, [machine[place] for machine in groups]) for place, name in enumerate(MACHINE.values())),
            Column("from", [of_machine[0] for of_machine in days]),
            Column("to", [of_machine[-1] for of_machine in days]),
            Column("commits", [", ".join(sorted({_commit(one) for one in members})) for members in groups.values()]),
        ),
    )


def _commit(one: Mapping[str, Any]) -> str:
    return f"{one['commit'][:8]}{' with changes' * one['changed']}" if "commit" in one else "no commit"

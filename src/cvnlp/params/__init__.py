"""The typed, frozen form of params.yaml.

Every stage reads the whole file, so a mistake anywhere stops the first stage: an unknown key, a wrong type or a
contradiction is refused with the key's full path and the valid choices. What a network accepts and which sources
there are is not known here; `load` takes both from its caller.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError
from ruamel.yaml import YAML, YAMLError

from cvnlp.params.base import Name, Strict
from cvnlp.params.datasets import LanguageDataset, OwnPictures, OwnTexts, VisionDataset
from cvnlp.params.explanation import explain
from cvnlp.params.runs import LanguageRun, VisionRun


class Params(Strict):
    """`datasets` are published ones, `own` the user's; a run may name any of both."""

    datasets: dict[Name, Annotated[VisionDataset | LanguageDataset, Field(discriminator="domain")]]
    own: dict[Name, Annotated[OwnPictures | OwnTexts, Field(discriminator="domain")]] = Field(default_factory=dict)
    runs: dict[Name, Annotated[VisionRun | LanguageRun, Field(discriminator="domain")]]

    @property
    def all_datasets(self) -> dict[str, VisionDataset | LanguageDataset | OwnPictures | OwnTexts]:
        return {**self.datasets, **self.own}


@dataclass(frozen=True)
class Choices:
    """What one half offers: the forms of its networks' options, and its sources with the splits that they bring."""

    networks: Mapping[str, type[BaseModel]]
    sources: Mapping[str, Collection[str]]


def load(path: Path, choices: Mapping[str, Choices]) -> Params:
    """Read and check `path`; ValueError names the full key of every mistake, the value and the valid choices."""
    raw = _read(path)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise ValueError("\n".join(explain(path, error, raw, Params))) from None
    mistakes = [
        *(
            f"{path}: own.{name}: datasets has the same name; choose another"
            for name in params.own
            if name in params.datasets
        ),
        *(line for name in params.datasets for line in _check_dataset(path, name, params, choices)),
        *(line for name in params.runs for line in _check_run(path, name, params, choices)),
    ]
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return params


def pick(path: Path, table: str, entries: Mapping[str, Any], name: str) -> Any:
    """The block `name` of `entries`, or ValueError with the names there are."""
    for mistake in _unknown(f"{path}: {table}", name, entries):
        raise ValueError(mistake)
    return entries[name]


def _read(path: Path) -> Any:
    # DVC's own YAML reader: 1e-3 is a number for both, a key given twice is refused by both.
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _unknown(key: str, value: Any, choices: Collection[str]) -> Iterator[str]:
    if value not in list(choices):  # a list, for the value may be anything, hashable or not
        yield f"{key}: {value!r} is unknown; valid choices: {', '.join(sorted(choices))}"


def _check_dataset(path: Path, name: str, params: Params, choices: Mapping[str, Choices]) -> Iterator[str]:
    dataset, key = params.datasets[name], f"{path}: datasets.{name}"
    sources = choices[dataset.domain].sources
    yield from _unknown(f"{key}.source", dataset.source, sources)
    for split in ("validation", "test") if dataset.source in sources else ():
        value, brought = getattr(dataset, split), split in sources[dataset.source]
        if brought and value is not None:
            yield f"{key}.{split}: {dataset.source} brings its own {split} split; leave the key out (given: {value!r})"
        if not brought and value is None:
            yield f"{key}.{split}: {dataset.source} brings no {split} split; say how much to hold out"


def _check_run(path: Path, name: str, params: Params, choices: Mapping[str, Choices]) -> Iterator[str]:
    run, key = params.runs[name], f"{path}: runs.{name}"
    yield from _unknown(f"{key}.dataset", run.dataset, params.all_datasets)
    dataset = params.all_datasets.get(run.dataset)
    if dataset and dataset.domain != run.domain:
        yield f"{key}.domain is {run.domain!r}, but its data set {run.dataset!r} is of domain {dataset.domain!r}"
    networks = choices[run.domain].networks
    network = run.model.get("name")
    yield from _unknown(f"{key}.model.name", network, networks)
    if network in list(networks):
        options = {option: value for option, value in run.model.items() if option != "name"}
        try:
            networks[network].model_validate(options)
        except ValidationError as error:
            yield from explain(path, error, options, networks[network], ("runs", name, "model"))

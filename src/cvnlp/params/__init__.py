"""params.yaml as typed, frozen objects.

Every stage reads the whole file, so a mistake anywhere stops the first stage: an unknown key, a wrong type or a
contradiction is refused with the key's full path and the valid choices. Imports no torch.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cvnlp.catalogue import SOURCES
from cvnlp.params import own_paths, tuned_runs
from cvnlp.params.base import Name, Strict
from cvnlp.params.datasets import LanguageDataset, OwnPictures, OwnTexts, VisionDataset
from cvnlp.params.explanation import explain, is_no_text
from cvnlp.params.runs import LanguageRun, VisionRun

__all__ = ["Params", "check_own_paths", "pick", "read_params", "read_raw"]

Dataset = VisionDataset | LanguageDataset | OwnPictures | OwnTexts
HALVES = [choice for form in (VisionRun, LanguageRun) for choice in get_args(form.model_fields["domain"].annotation)]
MANY = 3  # times as many errors as with the other domain: the domain is the mistake


class Params(Strict):
    """`datasets`: published data sets; `own`: the user's files; `runs`: what is trained, each on one of both."""

    datasets: dict[Name, Annotated[VisionDataset | LanguageDataset, Field(discriminator="domain")]]
    own: dict[Name, Annotated[OwnPictures | OwnTexts, Field(discriminator="domain")]] = Field(default_factory=dict)
    runs: dict[Name, Annotated[VisionRun | LanguageRun, Field(discriminator="domain")]]

    @property
    def all_datasets(self) -> dict[str, Dataset]:
        return {**self.datasets, **self.own}


def read_params(path: Path) -> Params:
    """Read and check `path`; ValueError names the full key of every mistake, the value and the valid choices."""
    raw = read_raw(path)
    unnamed = list(_names_that_are_no_text(path, raw))
    if unnamed:
        raise ValueError("\n".join(unnamed))
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise ValueError("\n".join(_mistakes(path, error, raw))) from None
    mistakes = [
        *(
            f"{path}: own.{name}: datasets has the same name; choose another"
            for name in params.own
            if name in params.datasets
        ),
        *(line for name, dataset in params.datasets.items() for line in _check_dataset(path, name, dataset)),
        *(line for name in params.runs for line in _check_run(path, name, params)),
        *(
            line
            for name, run in params.runs.items()
            for line in tuned_runs.mistakes(path, name, run, raw["runs"][name])
        ),
    ]
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return params


def _names_that_are_no_text(path: Path, raw: Any) -> Iterator[str]:
    for table in Params.model_fields:
        blocks = raw.get(table) if isinstance(raw, dict) else None
        names = blocks if isinstance(blocks, dict) else {}
        yield from (f"{path}: {table}: a name in it {is_no_text(name)}" for name in names if not isinstance(name, str))


def _mistakes(path: Path, error: ValidationError, raw: Any) -> Iterator[str]:
    """A line for each error, but a single one for a block whose keys are those of the other domain."""
    counts = Counter(details["loc"][:2] for details in error.errors() if len(details["loc"]) > 2)
    mixed = {}
    for (table, name), count in counts.items():
        block = raw[table][name]
        for other in HALVES:
            if count > 1 and MANY * _count_errors(table, {**block, "domain": other}) < count:
                mixed[f"{path}: {table}.{name}."] = (
                    f"{path}: {table}.{name}.domain: {block['domain']!r} does not fit the other keys of the block, "
                    f"which are those of {other!r}"
                )
    yield from mixed.values()
    yield from (line for line in explain(path, error, raw, Params) if not line.startswith(tuple(mixed)))


def _count_errors(table: int | str, block: Any) -> int:
    try:
        Params.model_validate({"datasets": {}, "runs": {}} | {str(table): {"block": block}})
    except ValidationError as error:
        return error.error_count()
    return 0


def check_own_paths(path: Path, params: Params) -> None:
    """ValueError for files of a block in `own` that do not exist, or are where DVC would not notice their changes."""
    mistakes = list(own_paths.mistakes(path, params.own))
    if mistakes:
        raise ValueError("\n".join(mistakes))


def pick(path: Path, table: str, entries: Mapping[str, Any], name: str) -> Any:
    """The block `name` of `entries`; ValueError lists the names that exist."""
    for mistake in _unknown(f"{path}: {table}", name, entries):
        raise ValueError(mistake)
    return entries[name]


def read_raw(path: Path) -> Any:
    """The tables of the file without checks or defaults; ValueError if it is missing or no YAML."""
    # DVC's own YAML reader: 1e-3 is a number for both, a key given twice is refused by both.
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file{_hint(path)}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _hint(path: Path) -> str:
    """Where the file is instead, for a command that was started in a folder of the project."""
    parents = path.absolute().parent.parents
    return next((f"; start in the project's folder: cd {p}" for p in parents if (p / path.name).is_file()), "")


def _unknown(key: str, value: str, choices: Collection[str]) -> Iterator[str]:
    if value not in choices:
        yield f"{key}: {value!r} is unknown; valid choices: {', '.join(sorted(choices))}"


def _check_dataset(path: Path, name: str, dataset: VisionDataset | LanguageDataset) -> Iterator[str]:
    key, source = f"{path}: datasets.{name}", dataset.source
    choices = [known for known, entry in SOURCES.items() if entry.domain == dataset.domain]
    yield from _unknown(f"{key}.source", source, choices)
    for split in ("validation", "test") if source in choices else ():
        value, provided = getattr(dataset, split), split in SOURCES[source].official_splits
        if provided and value is not None:
            yield f"{key}.{split}: {source} has its own {split} split; leave the key out (given: {value!r})"
        if not provided and value is None:
            yield f"{key}.{split}: {source} has no {split} split; give the amount to hold out"


def _check_run(path: Path, name: str, params: Params) -> Iterator[str]:
    run, key = params.runs[name], f"{path}: runs.{name}"
    yield from _unknown(f"{key}.dataset", run.dataset, params.all_datasets)
    dataset = params.all_datasets.get(run.dataset)
    if dataset and dataset.domain != run.domain:
        yield f"{key}.domain is {run.domain!r}, but its data set {run.dataset!r} has the domain {dataset.domain!r}"

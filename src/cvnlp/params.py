"""The typed, frozen form of params.yaml.

Every stage reads the whole file, so a mistake anywhere stops the first stage: an unknown key, a wrong type or a
contradiction is refused with the key's full path and the valid choices. What a network accepts is not known here;
`load` takes the forms of the networks from its caller.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

# Run and data set names become parts of file names, of DVC stage names and of MLflow names.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy and Lightning take


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Dataset(Strict):
    """What `prepare` makes: `source` names where the raw data comes from, `seed` fixes every drawing."""

    source: str
    seed: Seed


class VisionDataset(Dataset):
    """`validation` and `test`: pictures held out, in all, drawn with equal shares from every class."""

    domain: Literal["vision"]
    validation: int = Field(gt=0)
    test: int = Field(gt=0)


class LanguageDataset(Dataset):
    """`validation` and `test`: names of the documents held out whole."""

    domain: Literal["language"]
    tokens: Literal["characters", "words"]
    vocabulary_size: int | None = Field(default=None, gt=2)
    validation: list[str] = Field(min_length=1)
    test: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_disjoint_splits_and_a_vocabulary(self) -> "LanguageDataset":
        held_out = [*self.validation, *self.test]
        twice = sorted({name for name in held_out if held_out.count(name) > 1})
        if twice:
            raise ValueError(f"validation and test together hold out {', '.join(twice)} more than once")
        if (self.vocabulary_size is None) == (self.tokens == "words"):
            raise ValueError("vocabulary_size must be given with 'tokens: words', and not with 'tokens: characters'")
        return self


class Optimiser(Strict):
    """`lr` is reached after `warmup` (a share of all steps) and then falls along the schedule to 0."""

    name: Literal["adamw", "sgd"]
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _has_no_idle_momentum(self) -> "Optimiser":
        if self.name == "adamw" and self.momentum:
            raise ValueError("momentum belongs to sgd; adamw has its own")
        return self


class Train(Strict):
    """`epochs: 0` trains nothing. `patience`: epochs without a better validation score before an early stop."""

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=128, gt=0)
    lr: float = Field(default=0.001, gt=0)
    optimiser: Optimiser = Optimiser(name="adamw")
    clip: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, gt=0)
    precision: Literal["32", "bf16"] = "32"


class Augment(Strict):
    """A random change of each training picture: shift in pixels, rotation in degrees, scale as a share."""

    shift: float = Field(default=0.0, ge=0)
    rotation: float = Field(default=0.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)


class VisionTrain(Train):
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    augment: Augment = Augment()


class LanguageTrain(Train):
    """`window`: steps of backpropagation through time; `epoch_tokens`: an epoch's length, the whole text if null."""

    window: int = Field(default=64, gt=0)
    epoch_tokens: int | None = Field(default=None, gt=0)


class VisionEvaluate(Strict):
    """`bins` of the calibration error; `mistakes`: how many of the worst are shown."""

    bins: int = Field(default=15, gt=0)
    mistakes: int = Field(default=18, gt=0)


class LanguageEvaluate(Strict):
    """Samples of generated text: how many, of how many tokens, at which temperature."""

    samples: int = Field(default=2, gt=0)
    sample_tokens: int = Field(default=400, gt=0)
    temperature: float = Field(default=0.8, gt=0)


class VisionAttack(Strict):
    """`eps`: the largest change of a pixel, in units of the full range 0..1; `steps` of PGD; `images` attacked."""

    eps: Shares
    images: int = Field(default=500, gt=0)
    steps: int = Field(default=20, gt=0)
    flips: int = Field(default=6, gt=0)


class LanguageAttack(Strict):
    """`shares` of the tokens read that are replaced, in `excerpts` pieces of `length` tokens of the test text."""

    shares: Shares
    excerpts: int = Field(default=64, gt=0)
    length: int = Field(default=128, gt=1)


class Run(Strict):
    dataset: str
    seed: Seed
    model: dict[str, Any]


class VisionRun(Run):
    domain: Literal["vision"]
    train: VisionTrain
    evaluate: VisionEvaluate
    attack: VisionAttack


class LanguageRun(Run):
    domain: Literal["language"]
    train: LanguageTrain
    evaluate: LanguageEvaluate
    attack: LanguageAttack


class Params(Strict):
    datasets: dict[Name, Annotated[VisionDataset | LanguageDataset, Field(discriminator="domain")]]
    runs: dict[Name, Annotated[VisionRun | LanguageRun, Field(discriminator="domain")]]


@dataclass(frozen=True)
class Choices:
    """What one half offers: the forms of its networks' options, and the names of its sources."""

    networks: Mapping[str, type[BaseModel]]
    sources: Collection[str]


def load(path: Path, choices: Mapping[str, Choices]) -> Params:
    """Read and check `path`; ValueError names the full key of every mistake, the value and the valid choices."""
    raw = _read(path)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise ValueError("\n".join(_explain(path, error, raw, Params))) from None
    mistakes = [
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
    dataset = params.datasets[name]
    yield from _unknown(f"{path}: datasets.{name}.source", dataset.source, choices[dataset.domain].sources)


def _check_run(path: Path, name: str, params: Params, choices: Mapping[str, Choices]) -> Iterator[str]:
    run, key = params.runs[name], f"{path}: runs.{name}"
    yield from _unknown(f"{key}.dataset", run.dataset, params.datasets)
    dataset = params.datasets.get(run.dataset)
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
            yield from _explain(path, error, options, networks[network], ("runs", name, "model"))


def _explain(path: Path, error: ValidationError, raw: Any, form: Any, prefix: tuple[str, ...] = ()) -> Iterator[str]:
    """A line for each of pydantic's errors, in the words of the file."""
    for details in error.errors():
        place = [*prefix, *_steps(details["loc"], raw)]
        message, given = details["msg"].removeprefix("Value error, "), details["input"]
        if details["type"] == "extra_forbidden":
            message = f"unknown key; valid keys: {', '.join(sorted(_fields(form, details['loc'][:-1])))}"
        if "discriminator" in details.get("ctx", {}):
            place.append("domain")
            message, given = "must be 'vision' or 'language'", details["ctx"].get("tag")
        said = details["type"] not in ("extra_forbidden", "missing", "union_tag_not_found")
        key = f"{path}: {'.'.join(place)}" if place else str(path)
        yield f"{key}: {message}{f' (given: {_short(given)})' if said else ''}"


def _steps(location: tuple[int | str, ...], raw: Any) -> Iterator[str]:
    """The keys of the file in pydantic's location, which also names the branches of unions."""
    for number, step in enumerate(location):
        known = isinstance(raw, dict) and step in raw
        inner = number < len(location) - 1  # only the last step may be a key that the file lacks
        if isinstance(raw, dict) and not known and (inner or step == "[key]"):
            continue
        yield str(step)
        raw = raw[step] if known or isinstance(raw, list) else None


def _fields(form: Any, location: tuple[int | str, ...]) -> Iterable[str]:
    """The keys of the model that pydantic's location leads to, from the model `form`."""
    for step in location:
        if isinstance(form, type) and issubclass(form, BaseModel):
            form = form.model_fields[str(step)].annotation
        elif get_origin(form) is dict:
            form = get_args(form)[1]
        else:  # a union told apart by `domain`
            members = get_args(get_args(form)[0])
            form = next(member for member in members if step in get_args(member.model_fields["domain"].annotation))
    return form.model_fields


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

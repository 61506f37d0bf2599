"""The typed, frozen form of params.yaml.

Every stage reads the whole file, so a mistake anywhere stops the first stage: an unknown key, a wrong type or a
contradiction is refused with the key's full path and the valid choices. What a network accepts is not known here;
`load` takes the forms of the networks from its caller.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML, YAMLError

# Run and data set names become parts of file names, of DVC stage names and of MLflow names.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_every_key(cls, data: Any) -> Any:
        unknown = [key for key in data if key not in cls.model_fields] if isinstance(data, dict) else []
        if unknown:
            choices = ", ".join(sorted(cls.model_fields))
            raise PydanticCustomError(
                "unknown_key", "unknown key; valid keys: {choices}", {"choices": choices, "key": unknown[0]}
            )
        return data


class Dataset(Strict):
    """What `prepare` makes: `source` names where the raw data comes from, `seed` fixes every drawing."""

    source: str
    seed: int


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
        both = sorted(set(self.validation) & set(self.test))
        if both:
            raise ValueError(f"validation and test both hold out {', '.join(both)}")
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
    seed: int
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
    """Read and check `path`; ValueError names the key's full path, the value and the valid choices."""
    raw = _read(path)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        raise ValueError(_explain(path, error, raw)) from None
    for name, dataset in params.datasets.items():
        key = f"{path}: datasets.{name}.source"
        _one_of(key, dataset.source, choices[dataset.domain].sources)
    for name, run in params.runs.items():
        _check_run(path, name, run, params, choices[run.domain].networks)
    return params


def pick(path: Path, table: str, entries: Mapping[str, Any], name: str) -> Any:
    """The block `name` of `entries`, or ValueError with the names there are."""
    _one_of(f"{path}: {table}", name, entries)
    return entries[name]


def _read(path: Path) -> Any:
    # DVC's own YAML reader: 1e-3 is a number for both, a key given twice is refused by both.
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _one_of(key: str, value: Any, choices: Collection[str]) -> None:
    if value not in choices:
        raise ValueError(f"{key}: {value!r} is unknown; valid choices: {', '.join(sorted(choices))}")


def _check_run(path: Path, name: str, run: Any, params: Params, networks: Mapping[str, type[BaseModel]]) -> None:
    key = f"{path}: runs.{name}"
    _one_of(f"{key}.dataset", run.dataset, params.datasets)
    domain = params.datasets[run.dataset].domain
    if domain != run.domain:
        raise ValueError(f"{key}.domain is {run.domain!r}, but its data set {run.dataset!r} is of domain {domain!r}")
    _one_of(f"{key}.model.name", run.model.get("name"), networks)
    options = {option: value for option, value in run.model.items() if option != "name"}
    form = networks[run.model["name"]]
    try:
        form.model_validate(options)
    except ValidationError as error:
        raise ValueError(_explain(path, error, options, ("runs", name, "model"))) from None


def _explain(path: Path, error: ValidationError, raw: Any, prefix: tuple[str, ...] = ()) -> str:
    lines = [_explain_one(path, details, raw, prefix) for details in error.errors()]
    return "\n".join(lines)


def _explain_one(path: Path, details: Any, raw: Any, prefix: tuple[str, ...]) -> str:
    place: list[str] = list(prefix)
    for step in details["loc"]:
        if isinstance(raw, dict) and step not in raw and step in ("vision", "language", "[key]"):
            continue  # pydantic names the branch of a union here, which is no key of the file
        place.append(str(step))
        raw = raw[step] if (isinstance(raw, dict) and step in raw) or isinstance(raw, list) else None
    context = details.get("ctx", {})
    if "key" in context:
        place.append(str(context["key"]))
    message = details["msg"].removeprefix("Value error, ")
    if "discriminator" in context:
        place.append("domain")
        message = "must be 'vision' or 'language'"
    given = (
        ""
        if details["type"] in ("unknown_key", "missing", "union_tag_not_found")
        else f" (given: {_short(details['input'])})"
    )
    return f"{path}: {'.'.join(place)}: {message}{given}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""The blocks of `runs`: which network, trained how, evaluated and attacked how."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cvnlp.params.base import Seed, Strict

Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


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

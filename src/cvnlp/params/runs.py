"""The blocks of `runs`: which network, trained how, evaluated and attacked how."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cvnlp.params.base import Seed, Strict
from cvnlp.params.insight import LanguageInsight, VisionInsight

Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
AVERAGES: dict[str, dict[str, Any]] = {
    "ema": {"average_decay": 0.999, "average_start": 0.0},
    "swa": {"average_start": 0.75},
}
Betas = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)]


def _value(given: Any, key: str) -> Any:
    return given.get(key) if isinstance(given, dict) else None


def _filled(given: Any, defaults: dict[str, Any]) -> Any:
    """What is given, and the defaults of the keys that are not; what is no table is refused by its form."""
    return {**given, **{key: defaults[key] for key in defaults if key not in given}} if defaults else given


class Optimiser(Strict):
    """AdamW, SGD or Muon, and the schedule of the learning rate over all steps.

    `decay_all: false` spares biases and the weights of normalisation layers (all of fewer than two dimensions) the
    decay. `nesterov` and `momentum` are sgd's, `betas` and `eps` adamw's; nesterov: null is true if there is momentum.
    `muon` (Jordan et al. 2024) is for networks of convolutions with batch normalisation: the kernels of all but the
    first move by `kernel_lr` (half of lr if not given) along their orthogonalised gradients, all else as with sgd.
    `lr` is reached after `warmup` (a share of all steps) and then falls along the schedule to `final` (a share of lr),
    or stays. `one_cycle` (Smith and Topin 2018; warmup 0.3 if not given) rises from lr / 25 and falls again, each
    along half a cosine, while momentum (adamw: the first of `betas`), if there is any, goes down to `lowest_momentum`
    (null: a tenth lower, or half of it if that is more) and back.
    """

    name: Literal["adamw", "sgd", "muon"]
    weight_decay: float = Field(default=0.0, ge=0)
    decay_all: bool = True
    momentum: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool | None = None
    betas: Betas | None = None
    eps: float | None = Field(default=None, gt=0)
    kernel_lr: float | None = Field(default=None, gt=0)
    schedule: Literal["cosine", "linear", "constant", "one_cycle"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    final: float = Field(default=0.0, ge=0, lt=1)
    lowest_momentum: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _has_defaults_of_its_kind(cls, given: Any) -> Any:
        kinds = {"adamw": {"betas": [0.9, 0.999], "eps": 1e-8}, "muon": {"momentum": 0.9}}
        own = kinds.get(str(_value(given, "name")), {})
        return _filled(given, own | ({"warmup": 0.3} if _value(given, "schedule") == "one_cycle" else {}))

    @model_validator(mode="after")
    def _has_no_idle_momentum(self) -> "Optimiser":
        if self.name == "adamw" and self.momentum:
            raise ValueError("momentum belongs to sgd and muon; adamw has its own")
        if self.nesterov is not None and self.name == "muon":
            raise ValueError("nesterov belongs to sgd; muon always has it")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov belongs to sgd with a momentum above 0")
        return self

    @model_validator(mode="after")
    def _has_no_key_of_another_optimiser(self) -> "Optimiser":
        if self.name != "adamw" and (self.betas or self.eps):
            raise ValueError(f"betas and eps belong to adamw; leave them out with {self.name}")
        if self.name != "muon" and self.kernel_lr:
            raise ValueError("kernel_lr belongs to muon")
        if self.name == "muon" and not self.decay_all:
            raise ValueError("decay_all belongs to adamw and sgd; muon keeps its kernels at one length without decay")
        if self.name == "muon" and self.schedule == "one_cycle":
            raise ValueError("one_cycle moves one momentum, and muon has two: take cosine, linear or constant")
        if not (self.decay_all or self.weight_decay):
            raise ValueError("decay_all: false needs a weight_decay above 0")
        return self

    @model_validator(mode="after")
    def _has_no_key_of_another_schedule(self) -> "Optimiser":
        if self.schedule == "constant" and self.final:
            raise ValueError("final belongs to cosine, linear and one_cycle; constant stays at lr")
        if self.schedule == "one_cycle" and not self.warmup:
            raise ValueError("one_cycle rises over the share warmup, which must be above 0")
        highest = self.betas[0] if self.betas else self.momentum
        if self.lowest_momentum and not (self.schedule == "one_cycle" and self.lowest_momentum <= highest):
            raise ValueError(f"lowest_momentum belongs to one_cycle, and is at most the momentum itself ({highest:g})")
        return self


class Train(Strict):
    """`epochs: 0` trains nothing. `patience`: epochs without a better validation score before an early stop.

    `average` puts an average of the weights over the steps in their place where they are validated and kept: `ema`
    moves by 1 - `average_decay` a step towards the weights, `swa` (Izmailov et al. 2018) counts all steps alike. Both
    begin after `average_start`, a share of all steps; before it the weights themselves are validated. If not given,
    they are 0.999, and 0 for ema, 0.75 for swa.
    """

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=128, gt=0)
    lr: float = Field(default=0.001, gt=0)
    optimiser: Optimiser = Optimiser(name="adamw")
    clip: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, gt=0)
    precision: Literal["32", "bf16"] = "32"
    average: Literal["none", "ema", "swa"] = "none"
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    average_start: float | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _has_defaults_of_its_average(cls, given: Any) -> Any:
        average = _value(given, "average")
        return _filled(given, AVERAGES[average] if isinstance(average, str) and average in AVERAGES else {})

    @model_validator(mode="after")
    def _has_no_key_of_another_average(self) -> "Train":
        for key in ("average_decay", "average_start"):
            users = [average for average, own in AVERAGES.items() if key in own]
            if (self.average in users) != (getattr(self, key) is not None):
                raise ValueError(f"{key}: a number with average: {' or '.join(users)}, and with no other")
        return self


class Augment(Strict):
    """A random change of each training picture, anew each time, in the order of the keys; 0 and false change nothing.

    `shift` in pixels, `rotation` and `shear` (to the side) in degrees, `scale` as a share, all up to so much in both
    directions; what comes in is black. `crop` pads so many pixels at every side, with black or the reflected picture
    (`crop_fill`), and cuts the old size out: a shift by whole pixels. `flip` turns left and right for half of the
    pictures. `brightness` multiplies by, and `contrast` stretches around the picture's mean by, 1 +- so much.
    `erasing` is the share of the pictures in which a rectangle becomes black or the picture's mean (`erasing_fill`;
    Zhong et al. 2020).
    """

    shift: float = Field(default=0.0, ge=0)
    rotation: float = Field(default=0.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)
    shear: float = Field(default=0.0, ge=0, lt=90)
    crop: int = Field(default=0, ge=0)
    crop_fill: Literal["zero", "reflect"] = "zero"
    flip: bool = False
    brightness: float = Field(default=0.0, ge=0, le=1)
    contrast: float = Field(default=0.0, ge=0, le=1)
    erasing: float = Field(default=0.0, ge=0, le=1)
    erasing_fill: Literal["zero", "mean"] = "zero"

    @model_validator(mode="after")
    def _has_no_idle_fill(self) -> "Augment":
        if self.crop_fill != "zero" and not self.crop:
            raise ValueError(f"crop_fill: {self.crop_fill} needs a crop above 0")
        if self.erasing_fill != "zero" and not self.erasing:
            raise ValueError(f"erasing_fill: {self.erasing_fill} needs an erasing above 0")
        return self


class VisionTrain(Train):
    """`class_weights: balanced` weighs the loss by the inverse frequency of the classes in the training labels."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
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
    insight: VisionInsight


class LanguageRun(Run):
    domain: Literal["language"]
    train: LanguageTrain
    evaluate: LanguageEvaluate
    attack: LanguageAttack
    insight: LanguageInsight

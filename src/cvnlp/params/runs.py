"""The blocks of `runs`: which network, trained how, evaluated and attacked how."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cvnlp.params.base import Seed, Strict, check_own, with_defaults
from cvnlp.params.insight import LanguageInsight, VisionInsight
from cvnlp.params.language_networks import LanguageNetwork
from cvnlp.params.optimiser import Optimiser
from cvnlp.params.vision_networks import VisionNetwork

Steps = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
Fractions = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)]
Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
AVERAGES: dict[str, dict[str, Any]] = {
    "ema": {"average_decay": 0.999, "average_start": 0.0},
    "swa": {"average_start": 0.75},
    "nt_asgd": {"average_interval": 5},
}
LEAST_VARIABLE = 10  # tokens; lengths are drawn with a standard deviation of 5


class Train(Strict):
    """`epochs: 0` trains nothing. `patience`: epochs without a better validation score before an early stop.

    `average` puts an average of the weights over the steps in their place where they are validated and kept: `ema`
    moves by 1 - `average_decay` a step towards the weights, `swa` (Izmailov et al. 2018) counts all steps alike. Both
    begin after `average_start`, a share of all steps; before it the weights themselves are validated. If not given,
    they are 0.999, and 0 for ema, 0.75 for swa. `nt_asgd` (Merity et al. 2018) counts alike all steps after the first
    epoch whose validation score is worse than one of more than `average_interval` (5 if not given) epochs before.
    """

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=128, gt=0)
    lr: float = Field(default=0.001, gt=0)
    optimiser: Optimiser = Optimiser(name="adamw")
    clip: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, gt=0)
    precision: Literal["32", "bf16"] = "32"
    average: Literal["none", "ema", "swa", "nt_asgd"] = "none"
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    average_start: float | None = Field(default=None, ge=0, lt=1)
    average_interval: int | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _has_defaults_of_its_average(cls, given: Any) -> Any:
        return with_defaults(given, "average", AVERAGES)

    @model_validator(mode="after")
    def _has_no_key_of_another_average(self) -> "Train":
        check_own(self, "average", AVERAGES, "average_decay", "average_start", "average_interval")
        return self


def _no_number(given: Any) -> Any:
    """What is given, but for 0 and 1, which a Literal takes for False and True."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        raise ValueError("must be a boolean or 'alternating'")
    return given


Flip = Annotated[Literal[False, True, "alternating"], BeforeValidator(_no_number)]


class Augment(Strict):
    """A random change of each training picture, anew each time, in the order of the keys; 0 and false change nothing.

    `shift` in pixels, `rotation` and `shear` (to the side) in degrees, `scale` as a share, all up to so much in both
    directions; what comes in is black. `crop` pads so many pixels at every side, with black or the reflected picture
    (`crop_fill`), and cuts the old size out: a shift by whole pixels. `flip` turns left and right for half of the
    pictures, drawn anew; alternating, for those that the epoch before did not turn, so that two epochs show all of them
    from both sides (Jordan 2024). `brightness` multiplies by, and `contrast` stretches around the picture's mean by,
    1 +- so much. `erasing` is the share of the pictures in which a rectangle becomes black or the picture's mean
    (`erasing_fill`; Zhong et al. 2020).
    """

    shift: float = Field(default=0.0, ge=0)
    rotation: float = Field(default=0.0, ge=0, le=180)
    scale: float = Field(default=0.0, ge=0, lt=1)
    shear: float = Field(default=0.0, ge=0, lt=90)
    crop: int = Field(default=0, ge=0)
    crop_fill: Literal["zero", "reflect"] = "zero"
    flip: Flip = False
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


class Prune(Strict):
    """Of the share `easy` of the pictures, those whose loss was smallest when they were last read, an epoch leaves the
    share `skip` out, drawn anew each time; those that stay count for them (Qin et al. 2024).
    """

    easy: float = Field(default=0.75, gt=0, lt=1)
    skip: float = Field(default=0.6, gt=0, lt=1)


class VisionTrain(Train):
    """`class_weights: balanced` weighs the loss by the inverse frequency of the classes in the training labels.

    `prune` makes epochs shorter: {} takes its defaults, and leaves 45 % of the pictures out; null reads all.
    """

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    augment: Augment = Augment()
    prune: Prune | None = None


class LanguageTrain(Train):
    """`window`: steps of backpropagation through time; `epoch_tokens`: an epoch's length, the whole text if null.

    `window_lengths: variable` draws the length of each window around `window`, anew in every pass, and scales the
    learning rate of its step by its length (Merity et al. 2018).

    `activation_regularisation` and `temporal_regularisation` times the mean square of what the last layer says, and of
    how that changes from token to token, are added to the loss (Merity et al. 2018: 2 and 1).
    """

    window: int = Field(default=64, gt=0)
    epoch_tokens: int | None = Field(default=None, gt=0)
    window_lengths: Literal["fixed", "variable"] = "fixed"
    activation_regularisation: float = Field(default=0.0, ge=0)
    temporal_regularisation: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _has_room_for_variable_windows(self) -> "LanguageTrain":
        if self.window_lengths == "variable" and self.window < LEAST_VARIABLE:
            raise ValueError(f"window_lengths: variable needs a window of at least {LEAST_VARIABLE}, not {self.window}")
        return self


class VisionEvaluate(Strict):
    """`bins` of the calibration error; `mistakes`: how many of the worst are shown."""

    bins: int = Field(default=15, gt=0)
    mistakes: int = Field(default=18, gt=0)


class DynamicEvaluation(Strict):
    """The weights move while the test text is read, after every `window` tokens (Krause et al. 2018).

    `lr` towards what was read, `decay` back to where training left them; of several, those are taken that are best on
    the validation text. `statistics`: tokens of the training text by which each weight's own steps are scaled.
    """

    lr: Steps = Field(default=[5e-5])
    decay: Steps = Field(default=[0.002])
    window: int = Field(default=5, gt=0)
    statistics: int = Field(default=200_000, gt=0)


class Cache(Strict):
    """A cache of the last `size` tokens of the test text is asked, too (Grave et al. 2017).

    It has the `share` of the probability; a higher `flatness` trusts the likest places alone. Of several, those are
    taken that are best on the validation text.
    """

    size: int = Field(default=2000, gt=0)
    flatness: Steps = Field(default=[0.1, 0.3, 1.0])
    share: Fractions = Field(default=[0.05, 0.1, 0.2, 0.3])


class LanguageEvaluate(Strict):
    """Samples of generated text: how many, of how many tokens, at which temperature.

    `dynamic` and `cache`: scores beside the static one, of a model that adapts to the test text as it reads it.
    """

    samples: int = Field(default=2, gt=0)
    sample_tokens: int = Field(default=400, gt=0)
    temperature: float = Field(default=0.8, gt=0)
    dynamic: DynamicEvaluation | None = None
    cache: Cache | None = None


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
    """`dataset`: a name in `datasets` or `own`. `seed` fixes initial weights, the order of the data, and dropout."""

    dataset: str
    seed: Seed
    model: VisionNetwork | LanguageNetwork


class VisionRun(Run):
    domain: Literal["vision"]
    model: VisionNetwork
    train: VisionTrain
    evaluate: VisionEvaluate
    attack: VisionAttack
    insight: VisionInsight


class LanguageRun(Run):
    domain: Literal["language"]
    model: LanguageNetwork
    train: LanguageTrain
    evaluate: LanguageEvaluate
    attack: LanguageAttack
    insight: LanguageInsight

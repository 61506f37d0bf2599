"""The blocks of `runs`: the network, its training, its evaluation, the attacks on it, and its analysis."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cvnlp.params.adversarial_training import Adversarial
from cvnlp.params.attacks import LanguageAttack, VisionAttack
from cvnlp.params.base import Computation, Kinds, Seed, Strict, check_own, with_defaults
from cvnlp.params.evaluation import LanguageEvaluate, VisionEvaluate
from cvnlp.params.gates import LanguageGates, VisionGates, check_worst_case
from cvnlp.params.insight import LanguageInsight, VisionInsight
from cvnlp.params.language_networks import LanguageNetwork
from cvnlp.params.optimiser import Optimiser
from cvnlp.params.option_types import Distinct
from cvnlp.params.tune import Range
from cvnlp.params.vision_networks import VisionNetwork

AVERAGES: Kinds = {
    "ema": {"average_decay": 0.999, "average_start": 0.0},
    "swa": {"average_start": 0.75},
    "nt_asgd": {"average_interval": 5},
}
MIN_WINDOW = 10  # tokens, of variable windows, whose lengths are drawn with a standard deviation of 5


class Train(Computation):
    """The training of both halves' networks; `epochs: 0` trains nothing.

    `lr`: the highest learning rate. `clip`: the largest norm of the gradient. `patience`: epochs without a better
    validation score before training stops early. `precision: auto` is bf16 (mixed precision) where the processor or GPU
    has instructions for it, else 32.

    `average`: weights averaged over the steps are validated and saved instead of the weights themselves. `ema` moves
    towards the weights by 1 - `average_decay` (default 0.999) per step. `swa` (Izmailov et al. 2018) averages all steps
    equally. Both begin after `average_start`, a fraction of all steps (default 0 for ema, 0.75 for swa). `nt_asgd`
    (Merity et al. 2018) averages all steps equally after the first epoch whose validation score is worse than one of
    more than `average_interval` (default 5) epochs before.

    `save_every`: minutes within an epoch after which its state is saved, so that an interrupted training continues
    from there; without influence on the result. The state is also saved after each epoch.
    """

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=128, gt=0)
    lr: float = Field(default=0.001, gt=0)
    optimiser: Optimiser = Optimiser(name="adamw")
    clip: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, gt=0)
    precision: Literal["32", "bf16", "auto"] = "32"
    average: Literal["none", "ema", "swa", "nt_asgd"] = "none"
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    average_start: float | None = Field(default=None, ge=0, lt=1)
    average_interval: int | None = Field(default=None, gt=0)
    save_every: float = Field(default=10.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _has_defaults_of_its_average(cls, given: Any) -> Any:
        return with_defaults(given, "average", AVERAGES)

    @model_validator(mode="after")
    def _has_no_key_of_another_average(self) -> "Train":
        check_own(self, "average", AVERAGES, "average_decay", "average_start", "average_interval")
        return self


def _no_number(given: Any) -> Any:
    """Refuse 0 and 1, which a Literal would accept as False and True."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        raise ValueError("must be a boolean or 'alternating'")
    return given


Flip = Annotated[Literal[False, True, "alternating"], BeforeValidator(_no_number)]


class Augment(Strict):
    """Random transformations of each training image in every epoch, in the order of the keys; 0 and false do nothing.

    `shift` in pixels, `rotation` and horizontal `shear` in degrees, `scale` as a fraction: the largest change in both
    directions; exposed pixels are black. `crop`: the image is padded by so many pixels on every side, with black or by
    reflection (`crop_fill`), and a random window of the original size is cut out. `flip`: half of the images are
    flipped horizontally; `alternating` flips those that were not flipped in the epoch before (Jordan 2024).
    `brightness` and `contrast`: the factor is drawn from 1 +- so much; contrast is relative to the image's mean.
    `erasing`: the fraction of images in which a rectangle is set to black or to the image's mean (`erasing_fill`; Zhong
    et al. 2020).
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
    """Data pruning (InfoBatch, Qin et al. 2024): each epoch skips some of the images with the smallest loss.

    `easy`: the fraction of images that count as easy, by their loss when they were last seen; `skip`: the fraction of
    the easy ones that an epoch skips, drawn anew each time. The loss of the remaining easy ones is weighted up.
    """

    easy: float = Field(default=0.75, gt=0, lt=1)
    skip: float = Field(default=0.6, gt=0, lt=1)


class VisionTrain(Train):
    """The training of an image classifier.

    `class_weights: balanced` weights the loss by the inverse frequency of each class in the training labels. `prune`
    makes epochs shorter: {} uses its defaults, which skip 45 % of the images; null uses all images. `adversarial`:
    training on perturbed images, so that the network resists attacks; null trains on the images themselves.
    """

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    augment: Augment = Augment()
    prune: Prune | None = None
    adversarial: Adversarial | None = None

    @model_validator(mode="after")
    def _combines_with_pruning(self) -> "VisionTrain":
        if self.prune and self.adversarial and self.adversarial.method == "trades":
            raise ValueError("prune: weights a single loss of each image, and adversarial.method trades has two")
        return self


class LanguageTrain(Train):
    """The training of a language model; `batch_size` columns of the text are read in parallel.

    `window`: steps of backpropagation through time. `epoch_tokens`: tokens between two validations; null is the whole
    text. `window_lengths: variable` draws the length of each window around `window`, and scales the learning rate of
    its step by its length (Merity et al. 2018). `activation_regularisation` and `temporal_regularisation`: weights in
    the loss of the mean square of the last layer's outputs, and of their difference from token to token (Merity et al.
    2018: 2 and 1).
    """

    window: int = Field(default=64, gt=0)
    epoch_tokens: int | None = Field(default=None, gt=0)
    window_lengths: Literal["fixed", "variable"] = "fixed"
    activation_regularisation: float = Field(default=0.0, ge=0)
    temporal_regularisation: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _has_room_for_variable_windows(self) -> "LanguageTrain":
        if self.window_lengths == "variable" and self.window < MIN_WINDOW:
            raise ValueError(f"window_lengths: variable needs a window of at least {MIN_WINDOW}, not {self.window}")
        return self


class Run(Strict):
    """`dataset`: a name in `datasets` or `own`. `seed` fixes initial weights, the order of the data, and dropout.

    `seeds`: all seeds with which the run is trained and scored, its own among them, for mean and standard deviation of
    every score; [] is its own alone. Everything after the scores (attacks, insight, the model in use) is of `seed`.

    `tune`: ranges for `cvnlp tune`, by keys below the run such as train.lr or model.blocks.0.filters. They decide no
    result of the pipeline.
    """

    dataset: str
    seed: Seed
    seeds: Annotated[list[Seed], Distinct] = Field(default=[])
    model: VisionNetwork | LanguageNetwork
    train: Train
    tune: dict[str, Range] = Field(default={})

    @model_validator(mode="after")
    def _has_its_own_seed_among_several(self) -> "Run":
        if self.seeds and self.seed not in self.seeds:
            raise ValueError(f"seeds: must contain the run's own seed, {self.seed} (given: {self.seeds})")
        if len(self.seeds) > 1 and not self.train.epochs:
            raise ValueError("seeds: without training (train.epochs: 0) every seed has the same score; leave it out")
        return self


class VisionRun(Run):
    domain: Literal["vision"]
    model: VisionNetwork
    train: VisionTrain
    evaluate: VisionEvaluate
    attack: VisionAttack
    insight: VisionInsight
    gates: VisionGates | None = None

    @model_validator(mode="after")
    def _is_attacked_at_the_eps_of_its_gate(self) -> "VisionRun":
        check_worst_case(self.gates, self.attack.eps)
        return self


class LanguageRun(Run):
    domain: Literal["language"]
    model: LanguageNetwork
    train: LanguageTrain
    evaluate: LanguageEvaluate
    attack: LanguageAttack
    insight: LanguageInsight
    gates: LanguageGates | None = None

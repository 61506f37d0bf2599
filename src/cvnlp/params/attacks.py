"""The blocks `attack` of a run: which attacks, how strong, and on how many examples."""

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveInt, model_validator

from cvnlp.params.base import Computation, Strict
from cvnlp.params.option_types import Distinct

Norm = Literal["linf", "l2"]
Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[list[Share], Field(min_length=1), Distinct]
Positive = Annotated[float, Field(gt=0)]
Sizes = Annotated[list[Positive], Field(min_length=1), Distinct]
Corruption = Literal[
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "gaussian_blur",
    "motion_blur",
    "rotation",
    "scale",
    "translation",
    "shear",
    "brightness",
    "contrast",
    "fog",
    "stripe",
    "spatter",
    "pixelation",
]
SHOWN_STRENGTH = 0.1  # results at the nearest strength of a run are metrics of DVC and MLflow, and in the summary
CORRUPTIONS: tuple[Corruption, ...] = get_args(Corruption)


def shown_strength(strengths: Iterable[float]) -> float:
    """The one of a run's strengths (`eps`, `shares`) that a single number is about; without any, SHOWN_STRENGTH."""
    return min(strengths, key=lambda one: abs(one - SHOWN_STRENGTH), default=SHOWN_STRENGTH)


class RandomOptions(Strict):
    """Random perturbations of the full size, the baseline: the worst of `draws`."""

    draws: PositiveInt = 1


class FgsmOptions(Strict):
    """The fast gradient sign method (Goodfellow et al. 2015), one step."""


class PgdOptions(Strict):
    """Projected gradient ascent on the cross entropy (Madry et al. 2018).

    The worst of `restarts` from random points, or from the image itself without `random_start`. `step_size` in units of
    eps; null: 2.5 / steps.
    """

    steps: PositiveInt = 20
    restarts: PositiveInt = 1
    step_size: Positive | None = None
    random_start: bool = True


class ApgdOptions(Strict):
    """Auto-PGD (Croce and Hein 2020): `steps` whose size halves when the loss no longer rises."""

    steps: PositiveInt = 100
    restarts: PositiveInt = 1


class TargetedApgdOptions(ApgdOptions):
    """Auto-PGD on the targeted DLR loss, towards each of the `targets` most probable wrong classes in turn."""

    targets: PositiveInt = 9


class FabOptions(Strict):
    """FAB, targeted (Croce and Hein 2020): minimal perturbations by projections on linearised decision boundaries."""

    steps: PositiveInt = 100
    restarts: PositiveInt = 1
    targets: PositiveInt = 9


class SquareOptions(Strict):
    """Square Attack (Andriushchenko et al. 2020): random search by `queries` of the outputs, without gradients.

    `initial_share`: fraction of the pixels in the first square.
    """

    queries: PositiveInt = 5000
    restarts: PositiveInt = 1
    initial_share: Annotated[float, Field(gt=0, le=1)] = 0.8


class AttackTable(Strict):
    """The attacks of a run, by name; null leaves one out. They are made in this order.

    The first three are made on all images that are classified correctly, the others only on those that no attack before
    them has broken. A network without useful gradients gets `random`, and `square` with at least 2,000 queries.
    """

    random: RandomOptions | None = None
    fgsm: FgsmOptions | None = None
    pgd: PgdOptions | None = None
    apgd_ce: ApgdOptions | None = None
    apgd_dlr: ApgdOptions | None = None
    apgd_t: TargetedApgdOptions | None = None
    fab_t: FabOptions | None = None
    square: SquareOptions | None = None


DEFAULT = AttackTable(
    random=RandomOptions(),
    fgsm=FgsmOptions(),
    pgd=PgdOptions(steps=10),
    apgd_ce=ApgdOptions(steps=20),
    square=SquareOptions(queries=50),
)
AUTOATTACK = {
    "apgd_ce": ApgdOptions(),
    "apgd_t": TargetedApgdOptions(),
    "fab_t": FabOptions(),
    "square": SquareOptions(),
}


class SmallestEps(Strict):
    """The smallest eps of `images` test images, by so many `halvings` of the interval between two of `eps`."""

    images: PositiveInt = 100
    halvings: PositiveInt = 3


class Targeted(Strict):
    """Targeted PGD at `eps` towards every other class, and towards the least likely one, on `images` test images."""

    eps: Positive = 0.2
    steps: PositiveInt = 10
    images: PositiveInt = 50


class Spatial(Strict):
    """The worst of a grid of `rotations` angles up to `rotation` degrees and `shifts` shifts up to `shift` pixels in
    each direction, on `images` test images (Engstrom et al. 2019).
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 30.0
    rotations: PositiveInt = 7
    shift: Annotated[float, Field(ge=0)] = 3.0
    shifts: PositiveInt = 5
    images: PositiveInt = 200


class Corruptions(Strict):
    """Accuracy on `images` test images after each corruption at five strengths (Mu and Gilmer 2019)."""

    names: Annotated[list[Corruption], Field(min_length=1, max_length=len(CORRUPTIONS))] = Field(
        default=list(CORRUPTIONS)
    )
    images: PositiveInt = 100


class Certificate(Strict):
    """Randomised smoothing (Cohen et al. 2019) of `images` test images.

    Noise of standard deviation `sigma`; the class is selected by `selection_samples`, its probability estimated by
    `samples`, and the certificate fails with a probability of at most `failure`. `radii`: L2 radii of the table.
    """

    sigma: Positive = 0.25
    selection_samples: PositiveInt = 100
    samples: PositiveInt = 1000
    failure: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    images: PositiveInt = 100
    radii: Sizes = Field(default=[0.25, 0.5, 0.75, 1.0])


class VisionAttack(Computation):
    """Attacks on `images` test images.

    `eps`, their strengths: the largest change of a pixel as a fraction of the full range (`norm: linf`), or the largest
    Euclidean length of a perturbation (`l2`). `attacks`: by default random, fgsm, and short forms of pgd,
    apgd_ce and square; `autoattack: true` adds the four of AutoAttack with their published settings, which take a
    hundred times as long. `smallest`, `targeted`, `spatial`, `corruptions` and `certificate` are further tests; null
    skips them. `examples`:
    perturbed images shown.
    """

    norm: Norm = "linf"
    eps: Sizes
    images: PositiveInt = 500
    attacks: AttackTable = DEFAULT
    autoattack: bool = False
    smallest: SmallestEps | None = SmallestEps()
    targeted: Targeted | None = Targeted()
    spatial: Spatial | None = Spatial()
    corruptions: Corruptions | None = Corruptions()
    certificate: Certificate | None = None
    examples: PositiveInt = 6

    @property
    def table(self) -> AttackTable:
        """The attacks, with those of AutoAttack if it is wanted."""
        return self.attacks.model_copy(update=AUTOATTACK) if self.autoattack else self.attacks

    @model_validator(mode="after")
    def _has_pixels_in_range(self) -> "VisionAttack":
        if self.norm == "linf" and max(self.eps) > 1:
            raise ValueError(f"eps: {max(self.eps):g} is more than the full range of a pixel, 1")
        return self


class LanguageAttack(Computation):
    """Attacks on `excerpts` of `length` tokens of the test text; `shares`: fractions of the tokens that change."""

    shares: Shares
    excerpts: int = Field(default=64, gt=0)
    length: int = Field(default=128, gt=1)

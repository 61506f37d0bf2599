"""The block `adversarial` of a training: which perturbations of the training images a classifier learns from."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cvnlp.params.attacks import Norm
from cvnlp.params.base import Kinds, Strict, check_own, with_defaults

METHODS: Kinds = {"pgd": {"steps": 7}, "trades": {"steps": 10, "beta": 6.0}}
FAST_STEP, SPAN = 1.25, 2.5  # default step size of the fast method, and of others times their steps, in units of eps


class Adversarial(Strict):
    """Adversarial training within `eps` of each training image, in the norm of `attack`.

    `fast`: one step of FGSM from a random point (Wong et al. 2020). `pgd`: `steps` of projected gradient ascent (Madry
    et al. 2018; default 7). `trades`: cross entropy of the clean image plus `beta` (default 6) times the divergence
    between its prediction and that of an image found in `steps` (default 10) (Zhang et al. 2019). `noise`: Gaussian
    noise with standard deviation eps, for randomised smoothing (Cohen et al. 2019).

    `step_size` in units of eps; null: 1.25 for fast, 2.5 / steps for others. `warmup`: fraction of all steps in which
    eps rises from 0. After each epoch `validation_images` are attacked by `validation_steps` of PGD; the epoch with the
    highest accuracy on them is kept (with noise: the one with the lowest loss).
    """

    method: Literal["fast", "pgd", "trades", "noise"]
    eps: PositiveFloat
    norm: Norm = "linf"
    steps: PositiveInt | None = None
    step_size: PositiveFloat | None = None
    beta: PositiveFloat | None = None
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validation_images: PositiveInt = 500
    validation_steps: PositiveInt = 10

    @model_validator(mode="before")
    @classmethod
    def _has_defaults_of_its_method(cls, given: Any) -> Any:
        return with_defaults(given, "method", METHODS)

    @model_validator(mode="after")
    def _is_consistent(self) -> "Adversarial":
        check_own(self, "method", METHODS, "steps", "beta")
        if self.norm == "linf" and self.eps > 1:
            raise ValueError(f"eps: {self.eps:g} is more than the full range of a pixel, 1")
        if self.method == "noise" and self.step_size:
            raise ValueError("step_size belongs to fast, pgd and trades; noise takes no steps")
        return self

    @property
    def relative_step(self) -> float:
        """The size of a step in units of eps."""
        return self.step_size or (SPAN / self.steps if self.steps else FAST_STEP)

"""The block `evaluate` of a run: scores on the test split."""

from typing import Annotated

from pydantic import Field

from cvnlp.params.base import Computation, Strict
from cvnlp.params.option_types import Distinct

Steps = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1), Distinct]
Fractions = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1), Distinct]


class VisionEvaluate(Computation):
    """`bins` of confidence for the calibration error; `mistakes`: misclassified images shown, the most confident."""

    bins: int = Field(default=15, gt=0)
    mistakes: int = Field(default=18, gt=0)


class DynamicEvaluation(Strict):
    """Dynamic evaluation: the weights adapt to the test text after every `window` tokens (Krause et al. 2018).

    `lr`: step along the gradient of the last window; `decay`: step back to the trained weights. Of several values,
    those that are best on the validation text are used. `statistics`: tokens of the training text from which the size
    of each weight's steps is estimated.
    """

    lr: Steps = Field(default=[5e-5])
    decay: Steps = Field(default=[0.002])
    window: int = Field(default=5, gt=0)
    statistics: int = Field(default=200_000, gt=0)


class Cache(Strict):
    """A continuous cache of the last `size` tokens of the test text (Grave et al. 2017).

    `share`: its weight in the mixture with the network. `sharpness`: higher values favour the most similar states. Of
    several values, those that are best on the validation text are used.
    """

    size: int = Field(default=2000, gt=0)
    sharpness: Steps = Field(default=[0.1, 0.3, 1.0])
    share: Fractions = Field(default=[0.05, 0.1, 0.2, 0.3])


class LanguageEvaluate(Computation):
    """`samples`: generated texts of `sample_tokens` tokens at this `temperature`.

    `dynamic` and `cache`: further scores of a model that adapts to the test text, next to the static one.
    """

    samples: int = Field(default=2, gt=0)
    sample_tokens: int = Field(default=400, gt=0)
    temperature: float = Field(default=0.8, gt=0)
    dynamic: DynamicEvaluation | None = None
    cache: Cache | None = None

"""The blocks `insight` of a run: how much is looked at to show what its network has learned."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from cvnlp.params.base import Strict

Numbers = Annotated[list[float], Field(min_length=1)]


class LanguageInsight(Strict):
    """`excerpts` of the validation text of `length` tokens, whose end is predicted; the most frequent `words` are shown
    with their nearest `neighbours`. What the state keeps track of is looked for while it reads the first `tracked`
    tokens of the validation text. At each of `temperatures` the network writes `samples` texts of `sample_tokens`.

    In `recall_steps` of training a small network of the same kind of cell learns to remember one symbol; 0 leaves this
    out, for it is the same for all runs of a kind.
    """

    excerpts: PositiveInt = 256
    length: int = Field(default=64, gt=1)
    words: PositiveInt = 100
    neighbours: PositiveInt = 5
    tracked: PositiveInt = 20000
    temperatures: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.5, 0.8, 1.0]  # noqa: RUF012  (pydantic copies it)
    samples: PositiveInt = 8
    sample_tokens: PositiveInt = 300
    recall_steps: NonNegativeInt = 300


class VisionInsight(Strict):
    """`filters` of each layer shown, each with the `patches`, of `images` training pictures, that excite it most, and
    the maps of the validation `picture` (its number).

    On `pictures` of the validation split: receptive fields by `gradients` of some of them, equivariance to `moves` in
    pixels, accuracy when turned by `rotations` (degrees), sized by `scales` and moved by `shifts` (pixels). On
    `worst_pictures` of them the worst of a grid of `worst_rotations` angles up to `worst_rotation` degrees and of
    `worst_shifts` places a direction up to `worst_shift` pixels (Engstrom et al. 2019). Where the network looks:
    `attributed` pictures, in `steps` of integrated gradients. `pairs` of classes that are confused most, `shown`
    pictures each, and `bins` of confidence.

    On the canvases of a data set that has such: a box is taken for found from the probability `reading_score` on, and
    none that overlaps a surer one by more than `reading_overlap` (intersection over union); `reading_shown` of the
    canvases are drawn, and as many of those that were read worst.
    """

    filters: PositiveInt = 16
    patches: PositiveInt = 8
    images: PositiveInt = 1000
    picture: NonNegativeInt = 0
    pictures: PositiveInt = 500
    gradients: PositiveInt = 16
    moves: Annotated[list[PositiveInt], Field(min_length=1)] = [1, 2, 4]  # noqa: RUF012  (pydantic copies it)
    rotations: Numbers = [-90.0, -60.0, -45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0, 60.0, 90.0]  # noqa: RUF012
    scales: Annotated[list[PositiveFloat], Field(min_length=1)] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4]  # noqa: RUF012
    shifts: Numbers = [-6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 6.0]  # noqa: RUF012  (pydantic copies it)
    worst_pictures: PositiveInt = 200
    worst_rotation: NonNegativeFloat = 30.0
    worst_rotations: PositiveInt = 5
    worst_shift: NonNegativeFloat = 3.0
    worst_shifts: PositiveInt = 5
    attributed: PositiveInt = 32
    steps: PositiveInt = 32
    pairs: PositiveInt = 5
    shown: PositiveInt = 6
    bins: PositiveInt = 10
    reading_score: float = Field(default=0.5, ge=0, le=1)
    reading_overlap: float = Field(default=0.2, ge=0, lt=1)
    reading_shown: PositiveInt = 3

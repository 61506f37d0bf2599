"""The blocks `insight` of a run: how much data is analysed to show what its network has learned."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from cvnlp.params.base import Computation
from cvnlp.params.option_types import Distinct

Numbers = Annotated[list[float], Field(min_length=1), Distinct]


class LanguageInsight(Computation):
    """Analyses of a language model on the validation text.

    `excerpts` of `length` tokens: the end of each is predicted from contexts of different lengths. `words`: the most
    frequent tokens, shown with their nearest `neighbours`. `state_tokens`: length of the text on which linear probes of
    the state are trained. At each of `temperatures` the network generates `samples` texts of `sample_tokens` tokens.
    `recall_steps`: at most so many training steps of small networks with the same kind of cell on a memory task; 0
    skips it, since its result is the same for all runs with that kind of cell.
    """

    excerpts: PositiveInt = 256
    length: int = Field(default=64, gt=1)
    words: int = Field(default=100, gt=1)
    neighbours: PositiveInt = 5
    state_tokens: int = Field(default=20000, gt=1)
    temperatures: Annotated[list[NonNegativeFloat], Field(min_length=1), Distinct] = Field(default=[0.5, 0.8, 1.0])
    samples: PositiveInt = 8
    sample_tokens: PositiveInt = 300
    recall_steps: NonNegativeInt = 1500


class VisionInsight(Computation):
    """Analyses of an image classifier on `validation_images` of the validation split.

    Filters: `filters` of each layer, each with the `patches` of `patch_images` training images that activate it most,
    and their feature maps of the validation image number `feature_map_image`.

    Receptive fields from the gradients of `gradient_images`; equivariance to shifts by `equivariance_shifts` pixels.

    Robustness: accuracy on images rotated by `rotations` (degrees), scaled by `scales`, shifted by `shifts` (pixels);
    and on `worst_case_images` the worst of a grid of `rotation_steps` angles up to `max_rotation` degrees and
    `shift_steps` shifts in each direction up to `max_shift` pixels (Engstrom et al. 2019).

    Attribution: integrated gradients of `attribution_images` in `attribution_steps` steps. Confusions: the most
    frequent `confused_pairs` of classes with `images_per_pair` images each. `bins` of confidence for calibration.

    Shuffled pixels: the network is trained anew for `shuffled_epochs` on the images and on the same images with their
    pixels in another order, to show whether it uses their arrangement; 0 leaves this out.

    Detection, where the data set has canvases: windows count as detections from the probability `detection_threshold`
    on; non-maximum suppression removes boxes whose intersection over union with a more probable one exceeds `nms_iou`.
    `canvases_shown` are drawn, and as many of those with the most errors.
    """

    filters: PositiveInt = 16
    patches: PositiveInt = 8
    patch_images: PositiveInt = 1000
    feature_map_image: NonNegativeInt = 0
    validation_images: PositiveInt = 500
    gradient_images: PositiveInt = 16
    equivariance_shifts: Annotated[list[PositiveInt], Field(min_length=1), Distinct] = Field(default=[1, 2, 4])
    rotations: Numbers = Field(default=[-90.0, -60.0, -45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0, 60.0, 90.0])
    scales: Annotated[list[PositiveFloat], Field(min_length=1), Distinct] = Field(
        default=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4]
    )
    shifts: Numbers = Field(default=[-6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 6.0])
    worst_case_images: PositiveInt = 200
    max_rotation: NonNegativeFloat = 30.0
    rotation_steps: PositiveInt = 5
    max_shift: NonNegativeFloat = 3.0
    shift_steps: PositiveInt = 5
    attribution_images: PositiveInt = 32
    attribution_steps: PositiveInt = 32
    confused_pairs: PositiveInt = 5
    images_per_pair: PositiveInt = 6
    shuffled_epochs: NonNegativeInt = 0
    bins: PositiveInt = 10
    detection_threshold: float = Field(default=0.5, ge=0, le=1)
    nms_iou: float = Field(default=0.2, ge=0, lt=1)
    canvases_shown: PositiveInt = 3

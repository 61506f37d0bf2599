"""An image classifier for export: pixels uint8 in, probabilities out, with scaling and normalisation inside."""

import copy
import json

import torch
from torch import Tensor, nn

from cvnlp.export.portable import Description, Field, Portable
from cvnlp.vision.batches import scale
from cvnlp.vision.serving.classifier import ImageClassifier
from cvnlp.vision.serving.code_examples import picture_code

COLOURS = {"grey": "grey levels", "rgb": "red, green and blue"}
FITS = {
    "crop": "resized so that it fills the size, and cut at its longer sides",
    "pad": "resized as a whole, and padded with {background}",
    "stretch": "stretched to the size",
}


class PixelsToProbabilities(nn.Module):
    """Images uint8 (N, H, W, C) -> class probabilities float32 (N, classes), as `predict_probabilities`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(scale(images)).float().softmax(1).nan_to_num(0.0)


def make_portable(model: ImageClassifier) -> Portable:
    """The classifier as a module on the CPU."""
    network = copy.deepcopy(model.network).cpu().to(memory_format=torch.contiguous_format)
    module = PixelsToProbabilities(network).eval()
    colour = COLOURS[model.form.colour]

    def example(count: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(count)
        return (torch.randint(0, 256, (count, *model.shape), dtype=torch.uint8, generator=generator),)

    return Portable(
        modules={"onnx": module, "pt2": module},
        inputs=[Field("images", "uint8", ("N", *model.shape), f"pixels from 0 to 255: {colour}")],
        outputs=[Field("probabilities", "float32", ("N", len(model.classes)), "of the classes, in their order")],
        example=example,
        metadata={"classes": json.dumps(model.classes, ensure_ascii=False)},
    )


def make_description(model: ImageClassifier) -> Description:
    """The classifier for the README of its folder."""
    return Description(
        title="image classifier",
        processing=_processing(model),
        labels=("classes.json", list(model.classes)),
        names=model.classes,
        code=picture_code(model.form, model.shape),
    )


def _processing(model: ImageClassifier) -> list[str]:
    form, data = model.form, model.config.data
    height, width, _ = model.shape
    fit = FITS[form.fit].format(background=form.background)
    return [
        f"A picture is converted to {COLOURS[form.colour]}, {fit}: {height} x {width} pixels, by bicubic "
        f"interpolation. Transparent pixels become {form.background}.",
        "Scaling to numbers from 0 to 1, and normalisation by the mean and standard deviation of the training pixels "
        f"({_numbers(data.mean)} and {_numbers(data.std)}), are part of the network.",
    ]


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)

"""Predictions of image classifiers: a network runs on data here, in batches and without gradients."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.launch.devices import device
from cvnlp.params.network_config import VisionConfig
from cvnlp.vision.batches import EVALUATION_BATCH_SIZE, split_batches, to_tensor


def predict_outputs(network: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """Outputs of `network` for batches (B, C, H, W) of images in [0, 1], concatenated along the first axis.

    The batches move to the device of the network, where the result stays.
    """
    place = device_of(network)
    with torch.inference_mode():
        outputs = [network(images.to(place)) for images in batches]
    return torch.cat(outputs)  # an ordinary tensor, which may take part in a computation of gradients


def predict_probabilities(network: nn.Module, batches: Iterable[Tensor]) -> np.ndarray:
    """Class probabilities float32 (N, classes); all 0 for an image for which a diverged network overflows."""
    outputs = predict_outputs(network, batches).float()
    probabilities: np.ndarray = outputs.softmax(1).nan_to_num(0.0).cpu().numpy()
    return probabilities


def predict_classes(network: nn.Module, images: Tensor, *, batch_size: int = EVALUATION_BATCH_SIZE) -> Tensor:
    """Most probable class int64 (N,) of images (N, C, H, W) in [0, 1]; the first where a diverged network overflows."""
    return most_probable(predict_outputs(network, images.split(batch_size)))


def most_probable(outputs: Tensor) -> Tensor:
    """Most probable class int64 (N,) of outputs (N, classes); the first where a diverged network overflows."""
    return torch.where(outputs.softmax(1).isnan(), 0.0, outputs).argmax(1)


def predict_split(
    network: nn.Module, folder: Path, split: str, *, batch_size: int = EVALUATION_BATCH_SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """Class probabilities float32 (N, classes) and labels int64 (N,) of a split of the prepared data in `folder`."""
    batches = split_batches(folder, split, batch_size=batch_size)
    probabilities = predict_probabilities(network, (batch.images for batch in batches))
    return probabilities, np.asarray(batches.labels, dtype=np.int64)


def predict(network: nn.Module, config: VisionConfig, inputs: np.ndarray) -> np.ndarray:
    """Class probabilities float32 (N, classes) of images (N, H, W, C): uint8, or numbers of one of the two scales.

    All pixels of a call are whole numbers from 0 to 255, or numbers from 0 to 1; only zeros and ones are of the second
    scale. ValueError for other values or types, or for another shape than the images that the network was trained on.
    """
    if inputs.shape[1:] != config.data.shape:
        raise ValueError(f"images of shape {inputs.shape[1:]}: the network expects {config.data.shape}")
    if inputs.dtype == np.uint8:
        return predict_probabilities(network, map(to_tensor, _batches(inputs)))
    if not np.issubdtype(inputs.dtype, np.number) or np.iscomplexobj(inputs):
        raise ValueError(f"pixels of type {inputs.dtype}: the network expects numbers")
    scaled = _scale_to_one(np.asarray(inputs, dtype=np.float32))
    return predict_probabilities(network, (torch.from_numpy(batch).permute(0, 3, 1, 2) for batch in _batches(scaled)))


def _scale_to_one(pixels: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 255 divided by 255, others as they are."""
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)
    if low >= 0 and high <= 1:
        return pixels
    if low >= 0 and high <= 255 and np.array_equal(pixels, np.rint(pixels)):
        return pixels / np.float32(255)
    raise ValueError(
        f"pixels from {low:g} to {high:g}: the network expects whole numbers from 0 to 255, or numbers from 0 to 1"
    )


def _batches(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """At least one batch, which is empty if there are no images."""
    for start in range(0, max(len(pixels), 1), EVALUATION_BATCH_SIZE):
        yield np.array(pixels[start : start + EVALUATION_BATCH_SIZE])


def device_of(network: nn.Module) -> torch.device:
    """Device of its parameters or buffers; without any, the default device."""
    tensor = next(chain(network.parameters(), network.buffers()), None)
    return device() if tensor is None else tensor.device

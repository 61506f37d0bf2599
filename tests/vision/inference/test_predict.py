"""Inference: the predictions of a split, in its order, whatever the batch size; one function for all callers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.launch.devices import device
from cvnlp.vision.batches import to_tensor
from cvnlp.vision.inference import predict, predict_classes, predict_outputs, predict_split
from cvnlp.vision.models import MODELS, Classifier
from make_networks import classifier, image_format, make_config


class BrightestRow(nn.Module):
    """Predicts the row of the bright bar, which is the class of the made images; it has no parameters."""

    def forward(self, images: Tensor) -> Tensor:
        return 20 * images[:, 0].mean(2)[:, :10]


def make_network(name: str = "cnn") -> Classifier:
    torch.manual_seed(0)
    return classifier(name, mean=0.2, std=0.2).to(device()).eval()


def stored(folder: Path, name: str) -> np.ndarray:
    return np.array(prepared.load_array(folder, name))


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("split", ["validation", "test"])
def test_predictions_are_in_the_order_of_the_split(vision_data: Path, name: str, split: str) -> None:
    network = make_network(name)
    probabilities, labels = predict_split(network, vision_data, split)
    images = torch.from_numpy(stored(vision_data, f"{split}_images")).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        alone = torch.cat([network(image[None].to(device())).softmax(1).cpu() for image in images])
    assert probabilities == pytest.approx(alone.numpy(), abs=1e-5)
    assert labels.tolist() == stored(vision_data, f"{split}_labels").tolist()
    assert probabilities.dtype == np.float32 and labels.dtype == np.int64


def test_batch_size_does_not_change_the_predictions(vision_data: Path) -> None:
    network = make_network()
    expected, _ = predict_split(network, vision_data, "test")
    probabilities, labels = predict_split(network, vision_data, "test", batch_size=7)
    assert probabilities == pytest.approx(expected, abs=1e-6)
    assert len(labels) == 50


def test_network_without_parameters_has_predictions(vision_data: Path) -> None:
    probabilities, labels = predict_split(BrightestRow(), vision_data, "validation")
    assert np.array_equal(probabilities.argmax(1), labels)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)


def test_classes_are_those_of_the_highest_probability(vision_data: Path) -> None:
    images = to_tensor(stored(vision_data, "test_images"))
    probabilities, _ = predict_split(make_network(), vision_data, "test")
    assert predict_classes(make_network(), images, batch_size=9).tolist() == probabilities.argmax(1).tolist()


def test_outputs_may_take_part_in_a_computation_of_gradients() -> None:
    outputs = predict_outputs(make_network("mlp"), [torch.rand(2, 1, 12, 12), torch.rand(3, 1, 12, 12)])
    weight = torch.ones(10, requires_grad=True, device=outputs.device)
    (outputs * weight).sum().backward()
    assert torch.allclose(weight.grad, outputs.sum(0)) and not outputs.requires_grad


def test_images_beyond_one_batch_are_all_predicted() -> None:
    torch.manual_seed(0)
    config = make_config("vision", "mlp", image_format())
    pixels = np.random.default_rng(0).integers(0, 256, (1100, 12, 12, 1), dtype=np.uint8)
    probabilities = predict(make_network("mlp"), config, pixels)
    assert probabilities.shape == (1100, 10)
    assert probabilities[600:700] == pytest.approx(predict(make_network("mlp"), config, pixels[600:700]), abs=1e-6)


def test_no_images_have_no_predictions() -> None:
    config = make_config("vision", "mlp", image_format())
    assert predict(make_network("mlp"), config, np.zeros((0, 12, 12, 1), np.uint8)).shape == (0, 10)


@pytest.mark.parametrize("kind", [np.bool_, np.complex64])
def test_pixels_that_are_no_numbers_are_refused(kind: type) -> None:
    config = make_config("vision", "mlp", image_format())
    with pytest.raises(ValueError, match=f"pixels of type {np.dtype(kind)}: the network expects numbers"):
        predict(make_network("mlp"), config, np.zeros((2, 12, 12, 1), kind))

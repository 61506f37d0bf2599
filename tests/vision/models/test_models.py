"""Every classifier in MODELS: shapes, gradients, normalisation, learning."""

from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.networks import parameter_count
from cvnlp.params.vision_networks import VisionNetwork
from cvnlp.vision.models import MODELS, Classifier, rules
from cvnlp.vision.models.rules import measure
from make_networks import classifier

SHAPES = [(12, 12, 1), (12, 12, 3), (20, 12, 1), (12, 28, 3)]  # height, width, channels


def build(name: str, shape: tuple[int, int, int] = (12, 12, 1), classes: int = 10, **options: Any) -> Classifier:
    torch.manual_seed(0)
    return classifier(name, shape, classes, **options)


def make_batch(shape: tuple[int, int, int] = (12, 12, 1), count: int = 20) -> tuple[Tensor, Tensor]:
    height, width, channels = shape
    images = torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(1))
    return images, torch.arange(count) % 10


TRAINABLE = sorted(name for name in MODELS if parameter_count(build(name)))
BY_GRADIENT = [name for name in TRAINABLE if any(weight.requires_grad for weight in build(name).parameters())]
OPTIONS = {one.model_fields["name"].default: one for one in get_args(get_args(VisionNetwork)[0])}
WITH_DROPOUT = sorted(name for name, options in OPTIONS.items() if "dropout" in options.model_fields)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_batch_gives_finite_logits_for_every_class(name: str, shape: tuple[int, int, int]) -> None:
    images, _ = make_batch(shape, count=3)
    logits = build(name, shape).eval()(images)
    assert logits.shape == (3, 10)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", TRAINABLE)
def test_any_number_of_classes_is_possible(name: str) -> None:
    assert build(name, classes=7)(make_batch()[0]).shape == (20, 7)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_images_of_a_batch_are_independent(name: str) -> None:
    images, _ = make_batch()
    network = build(name).eval()
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in images])
        assert torch.allclose(network(images), alone, atol=1e-5)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_black_and_white_images_give_finite_logits(name: str) -> None:
    assert torch.isfinite(build(name).eval()(torch.stack([torch.zeros(1, 12, 12), torch.ones(1, 12, 12)]))).all()


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_gradients_reach_every_parameter(name: str) -> None:
    network = build(name)
    images, labels = make_batch()
    F.cross_entropy(network(images), labels).backward()
    for path, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), path
        assert parameter.grad.any(), path


@pytest.mark.parametrize("name", sorted(MODELS))
def test_gradients_reach_the_image(name: str) -> None:
    images, labels = make_batch()
    images.requires_grad_()
    F.cross_entropy(build(name)(images), labels, reduction="sum").backward()
    assert images.grad is not None and torch.isfinite(images.grad).all()
    assert images.grad.flatten(1).any(1).all()


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_one_batch_can_be_overfitted(name: str) -> None:
    network = build(name, **({"dropout": 0.0} if name in WITH_DROPOUT else {}))
    images, labels = make_batch()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.003)
    for _ in range(150):
        loss = F.cross_entropy(network(images), labels)
        if loss.item() < 0.05:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", TRAINABLE)
def test_an_image_equal_to_the_mean_is_zero_after_normalisation(name: str, shape: tuple[int, int, int]) -> None:
    network = build(name, shape)
    seen: list[Tensor] = []
    network.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    picture = network.mean.expand(1, shape[2], shape[0], shape[1])
    network(picture)
    network(picture + network.std)
    assert torch.equal(seen[0], torch.zeros_like(picture))
    assert torch.allclose(seen[1], torch.ones_like(picture), atol=1e-5)


def test_mean_and_std_are_saved_but_are_not_parameters() -> None:
    network = build("mlp")
    assert {"mean", "std"} <= set(network.state_dict())
    assert not {"mean", "std"} & {name for name, _ in network.named_parameters()}


def test_a_constant_channel_causes_no_division_by_zero() -> None:
    network = classifier("mlp", (4, 4, 1), 2, mean=0.5, std=0.0)
    assert torch.isfinite(network(torch.rand(2, 1, 4, 4))).all()


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_is_active_only_in_training(name: str) -> None:
    network = build(name, dropout=0.5)
    images, _ = make_batch()
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_two_trainings_end_in_the_same_bits(name: str) -> None:
    def train() -> dict[str, Tensor]:
        network = build(name)
        images, labels = make_batch()
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(2):
            optimiser.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimiser.step()
        return network.state_dict()

    first, again = train(), train()
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_memory_format_does_not_change_the_output(name: str, shape: tuple[int, int, int]) -> None:
    network = build(name, shape).eval()
    images, _ = make_batch(shape, count=4)
    with torch.no_grad():
        expected = network(images)
        network = network.to(memory_format=torch.channels_last)
        assert torch.allclose(network(images.contiguous(memory_format=torch.channels_last)), expected, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in MODELS if hasattr(MODELS[name], "feature_layers")])
def test_feature_layers_give_maps_in_order(name: str, shape: tuple[int, int, int]) -> None:
    network = build(name, shape).eval()
    layers = network.feature_layers()
    seen: list[tuple[str, Tensor]] = []
    for path, layer in layers:
        layer.register_forward_hook(lambda _module, _inputs, output, path=path: seen.append((path, output)))
    network(make_batch(shape, count=2)[0])
    assert [path for path, _ in seen] == [path for path, _ in layers]
    assert len({path for path, _ in layers}) == len(layers) > 0
    assert all(maps.ndim == 4 and len(maps) == 2 for _, maps in seen)


def test_linear_has_one_weight_per_pixel_and_class() -> None:
    network = build("linear", (12, 28, 3), classes=7)
    assert parameter_count(network) == 7 * (12 * 28 * 3 + 1)
    first, second = (make_batch((12, 28, 3), count=6)[0][part] for part in (slice(3), slice(3, 6)))
    assert torch.allclose(network((first + second) / 2), (network(first) + network(second)) / 2, atol=1e-5)


@pytest.mark.parametrize("hidden", [[5], [5, 6], [5, 6, 7, 8]])
def test_mlp_has_one_layer_per_number(hidden: list[int]) -> None:
    linear = [layer for layer in build("mlp", hidden=hidden).modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in linear] == [*hidden, 10]


@pytest.mark.parametrize("classes", [2, 9, 11])
def test_rules_need_ten_classes(classes: int) -> None:
    with pytest.raises(ValueError, match=rf"'rules'.*not for {classes} classes"):
        build("rules", classes=classes)


def test_rules_have_no_parameters() -> None:
    assert not parameter_count(build("rules"))


def test_measurements_do_not_depend_on_brightness() -> None:
    images, _ = make_batch((14, 14, 1), count=4)
    bright, dim = measure(images), measure(images * 0.4)
    for name in bright:
        assert torch.allclose(bright[name], dim[name], atol=1e-5), name


def test_the_ink_of_one_pixel_is_in_its_cell() -> None:
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 4, 10] = 1.0  # row 4 lies in the upper third of the inner rows 3 to 17, column 10 in the middle one
    measured = measure(image)
    grid = {name: float(measured[name]) for row in rules.GRID for name in row}
    assert grid == {name: float(name == "top") for name in grid}
    assert float(measured["width"]) < 1e-5 and float(measured["height"]) < 1e-5


def test_measured_width_of_two_columns_is_half_their_distance() -> None:
    image = torch.zeros(1, 1, 20, 20)
    image[0, 0, :, 4] = image[0, 0, :, 14] = 1.0
    assert float(measure(image)["width"]) == pytest.approx(5 / 20, abs=1e-5)

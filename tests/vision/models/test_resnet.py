"""The small residual network: its stages, its blocks, its options."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvnlp.networks import parameter_count
from cvnlp.vision.models.resnet import Residual, ResNet
from make_networks import classifier


def build(shape: tuple[int, int, int] = (28, 28, 1), **options: Any) -> ResNet:
    torch.manual_seed(0)
    return classifier("resnet", shape, 10, mean=0.2, std=0.3, **options).eval()


def sizes(network: ResNet) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for name, layer in network.feature_layers():
        layer.register_forward_hook(lambda _m, _i, output, name=name: found.update({name: tuple(output.shape[1:])}))
    height, width, channels = network.shape
    network(torch.zeros(1, channels, height, width))
    return found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(24, 14, 14), (48, 7, 7), (96, 3, 3)]),
        ({"pooling": "before"}, [(24, 14, 14), (48, 7, 7), (96, 3, 3)]),
        ({"first_pool": 4}, [(24, 7, 7), (48, 3, 3), (96, 1, 1)]),
        ({"first_pool": 1, "widths": [4, 5]}, [(4, 28, 28), (5, 14, 14)]),
        ({"blocks": 0}, [(24, 14, 14), (48, 7, 7), (96, 3, 3)]),
    ],
)
def test_stages_have_their_widths_and_sizes(options: dict[str, Any], expected: list[tuple[int, ...]]) -> None:
    last = {name.split(".")[0]: size for name, size in sizes(build(**options)).items()}
    assert list(last.values()) == expected


def test_early_pooling_is_before_the_convolution_except_in_the_first_stage() -> None:
    found = sizes(build(pooling="before"))
    assert found["stage1.convolution"] == (24, 28, 28)
    assert found["stage2.convolution"] == (48, 7, 7)
    assert sizes(build())["stage2.convolution"] == (48, 14, 14)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("convolutions", [1, 2])
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_the_number_of_parameters_is_that_of_convolutions_and_normalisation(
    blocks: int, convolutions: int, channels: int
) -> None:
    network = build((28, 28, channels), widths=[8, 16], blocks=blocks, convolutions=convolutions)
    entries = 9 * channels * 8 + 2 * 8 + 9 * 8 * 16 + 2 * 16
    residuals = blocks * convolutions * sum(9 * width * width + 2 * width for width in (8, 16))
    assert parameter_count(network) == entries + residuals + 16 * 10 + 10


def test_the_default_has_the_documented_number_of_parameters() -> None:
    assert parameter_count(build()) == 162_562


@pytest.mark.parametrize("convolutions", [1, 2])
def test_a_residual_block_with_a_zero_branch_is_the_identity(convolutions: int) -> None:
    block = Residual(4, convolutions, "relu").eval()
    with torch.no_grad():
        block.branch[-1].weight.zero_()
    maps = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block(maps), maps)


def test_a_residual_block_adds_its_branch() -> None:
    torch.manual_seed(0)
    block = Residual(4, 2, "gelu").eval()
    first, norm, activation, second, last = block.branch
    assert isinstance(activation, nn.GELU)
    maps = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(block(maps), nn.functional.gelu(maps + last(second(activation(norm(first(maps)))))))


def test_logits_are_scaled() -> None:
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(build(logit_scale=0.25)(images) * 4, build()(images))


def test_a_shifted_image_gives_the_same_logits() -> None:
    network = build((32, 32, 1), blocks=0, widths=[4, 5])
    pictures = torch.full((2, 1, 32, 32), 0.2)  # the mean: zero to the first layer, as its border
    pictures[0, :, 12:16, 12:16], pictures[1, :, 16:20, 8:12] = 1.0, 1.0

    def logits(images: Tensor) -> Tensor:
        return network(images)

    first, second = logits(pictures)
    assert torch.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "options", "stage", "way"),
    [
        ((4, 12, 1), {}, 3, "4x12 -> 2x6 -> 1x3"),
        ((28, 28, 1), {"first_pool": 29}, 1, "28x28"),
        ((28, 28, 3), {"widths": [4] * 5}, 5, "28x28 -> 14x14 -> 7x7 -> 3x3 -> 1x1"),
    ],
)
def test_too_many_stages_for_the_image_are_refused(
    shape: tuple[int, int, int], options: dict[str, Any], stage: int, way: str
) -> None:
    with pytest.raises(ValueError, match=rf"model\.widths: stage {stage}, pooling: windows .*{way}\)"):
        build(shape, **options)

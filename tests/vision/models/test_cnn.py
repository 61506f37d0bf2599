"""Convolutional networks from blocks: compared with torch's layers; impossible sizes are refused."""

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from cvnlp.networks import parameter_count
from cvnlp.params.vision_networks import Activation, Block
from cvnlp.vision.models.cnn import Cnn
from cvnlp.vision.models.convolutional import ACTIVATIONS, BatchNorm, ReflectionPad
from make_networks import classifier

MODES = {"zero": "zeros", "reflect": "reflect", "replicate": "replicate"}


def build(blocks: list[dict[str, Any]], shape: tuple[int, int, int] = (28, 28, 1), **options: Any) -> Cnn:
    torch.manual_seed(0)
    return classifier("cnn", shape, 10, mean=0.0, std=1.0, blocks=blocks, **options).eval()


def layer(network: nn.Module, name: str) -> nn.Module:
    return network.get_submodule(f"layers.features.{name}")


def sizes(network: Cnn) -> dict[str, tuple[int, ...]]:
    """The shape (C, H, W) of the output of every feature layer."""
    found: dict[str, tuple[int, ...]] = {}
    for name, module in network.feature_layers():
        module.register_forward_hook(lambda _m, _i, output, name=name: found.update({name: tuple(output.shape[1:])}))
    height, width, channels = network.shape
    network(torch.zeros(1, channels, height, width))
    return found


def test_blocks_equal_the_same_network_of_torch_layers() -> None:
    torch.manual_seed(3)
    network = classifier(
        "cnn",
        (28, 28, 1),
        mean=0.1,
        std=0.3,
        blocks=[{"filters": count, "kernel_size": 3} for count in (16, 32, 64)],
        hidden=[128],
        dropout=0.3,
    )
    torch.manual_seed(3)
    before, channels = [], 1
    for count in (16, 32, 64):
        before += [nn.Conv2d(channels, count, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
        channels = count
    head = [nn.Flatten(), nn.Linear(64 * 3 * 3, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)]
    same = nn.Sequential(*before, *head)
    assert parameter_count(network) == parameter_count(same) == 98_442
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), same.parameters(), strict=True))
    images = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    normalised = (images - network.mean) / network.std
    for mode in (False, True):
        torch.manual_seed(4)
        found = network.train(mode)(images)
        torch.manual_seed(4)
        assert torch.equal(found, same.train(mode)(normalised))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch of its own padding
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("padding", sorted(MODES))
def test_padding_equals_that_of_torch(padding: str, kernel_size: int, dilation: int) -> None:
    size = {"kernel_size": kernel_size, "dilation": dilation}
    block = {"filters": 4, **size, "padding": padding, "pooling": "none"}
    network = build([block], (14, 17, 3))
    reference = nn.Conv2d(3, 4, **size, padding="same", padding_mode=MODES[padding])
    reference.load_state_dict(layer(network, "block1.convolution").state_dict())
    images = torch.rand(2, 3, 14, 17, generator=torch.Generator().manual_seed(1))
    found = network.layers.get_submodule("features")(images)
    assert found.shape == (2, 4, 14, 17)
    assert torch.allclose(found, reference(images).relu(), atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", *sorted(MODES)])
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 2), (4, 2), (5, 3), (2, 4)])
def test_a_stride_skips_positions(padding: str, kernel_size: int, stride: int) -> None:
    block = {"filters": 4, "kernel_size": kernel_size, "padding": padding, "pooling": "none"}
    dense, strided = build([block]), build([block | {"stride": stride}])
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    every, some = (network.layers.get_submodule("features")(images) for network in (dense, strided))
    assert torch.allclose(some, every[:, :, ::stride, ::stride], atol=1e-6)


@pytest.mark.parametrize(("kernel_size", "dilation", "left"), [(1, 1, 28), (3, 1, 26), (4, 1, 25), (3, 4, 20)])
def test_a_valid_convolution_shrinks_the_map(kernel_size: int, dilation: int, left: int) -> None:
    block = {"filters": 4, "kernel_size": kernel_size, "dilation": dilation, "padding": "valid", "pooling": "none"}
    assert sizes(build([block]))["block1.convolution"] == (4, left, left)


@pytest.mark.parametrize("border", [(1, 1, 1, 1), (0, 1, 0, 1), (3, 2, 1, 0), (6, 6, 4, 4)])
def test_reflection_padding_and_its_gradient_equal_those_of_torch(border: tuple[int, int, int, int]) -> None:
    images = torch.rand(2, 3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = torch.rand(2, 3, 5 + sum(border[2:]), 7 + sum(border[:2]), dtype=torch.float64)
    results: list[tuple[Tensor, Tensor]] = []
    for kind in (ReflectionPad, nn.ReflectionPad2d):
        given = images.clone().requires_grad_()
        padded = kind(border)(given)
        (padded * weights).sum().backward()
        assert given.grad is not None
        results.append((padded, given.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.allclose(results[0][1], results[1][1])


def test_layers_of_a_block_are_in_order() -> None:
    block = {"filters": 4, "padding": "reflect", "batch_norm": True, "dropout": 0.1}
    network = build([block, block | {"padding": "zero", "batch_norm": False, "pooling": "none", "dropout": 0.0}])
    order = ["border", "convolution", "batch_norm", "activation", "pooling", "dropout"]
    assert [name for name, _ in layer(network, "block1").named_children()] == order
    assert [name for name, _ in layer(network, "block2").named_children()] == ["convolution", "activation"]
    assert "block1.dropout" not in dict(network.feature_layers())


def test_batch_normalisation_replaces_the_bias() -> None:
    block = {"filters": 4, "pooling": "none"}
    with_it, without = (build([block | {"batch_norm": given}], hidden=[]) for given in (True, False))
    assert parameter_count(with_it) - parameter_count(without) == 2 * 4 - 4


def test_batch_normalisation_accepts_a_single_value_per_channel() -> None:
    torch.manual_seed(0)
    mine, reference = BatchNorm(4), nn.BatchNorm2d(4)
    for count in (6, 1):
        maps = torch.randn(count, 4, 3, 3)
        assert torch.equal(mine(maps), reference(maps))
    single = torch.randn(1, 4, 1, 1)
    before = {name: tensor.clone() for name, tensor in mine.state_dict().items()}
    assert torch.equal(mine(single), reference.eval()(single))
    assert all(torch.equal(before[name], tensor) for name, tensor in mine.state_dict().items())


@pytest.mark.parametrize(
    ("pooling", "kind", "expected"),
    [("max", nn.MaxPool2d, (4, 9, 4)), ("average", nn.AvgPool2d, (4, 9, 4)), ("none", None, (4, 27, 13))],
)
def test_pooling_is_of_the_given_kind(pooling: str, kind: Any, expected: tuple[int, ...]) -> None:
    network = build([{"filters": 4, "pooling": pooling, "pool": 3}], (27, 13, 1))
    assert list(sizes(network).values())[-1] == expected
    assert kind is None or isinstance(layer(network, "block1.pooling"), kind)


def test_a_stride_instead_of_pooling_gives_the_same_size_and_parameters() -> None:
    pooled, strided = (build([{"filters": 4, "pooling": kind, "pool": 2}]) for kind in ("max", "stride"))
    assert list(sizes(pooled).values())[-1] == list(sizes(strided).values())[-1] == (4, 14, 14)
    assert "block1.pooling" not in dict(strided.feature_layers())
    assert parameter_count(pooled) == parameter_count(strided)
    both = build([{"filters": 4, "pooling": "stride", "pool": 2, "stride": 3}])
    assert layer(both, "block1.convolution").stride == (6, 6)


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation_of_the_options_is_implemented(activation: str) -> None:
    network = build([{"filters": 4, "activation": activation}])
    assert isinstance(layer(network, "block1.activation"), ACTIVATIONS[activation])


def test_no_other_activation_is_implemented() -> None:
    assert set(ACTIVATIONS) == set(get_args(Activation))


def test_omitted_options_have_the_defaults_of_the_block() -> None:
    given = Block(filters=4).model_dump()
    assert str(build([{"filters": 4}])) == str(build([given]))


@pytest.mark.parametrize("hidden", [[], [7], [7, 6, 5]])
def test_head_has_one_layer_per_number(hidden: list[int]) -> None:
    network = build([{"filters": 4}], (8, 12, 3), hidden=hidden, dropout=0.2)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert [module.in_features for module in linear] == [4 * 4 * 6, *hidden]
    assert [module.out_features for module in linear] == [*hidden, 10]
    dropouts = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    assert [module.p for module in dropouts] == [0.2] * max(1, len(hidden))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([{"padding": "valid", "pooling": "none"}], {"block1.convolution": 3}),
        (
            [{"padding": "valid"}, {"padding": "valid", "pooling": "none"}],
            {"block1.pooling": 4, "block2.convolution": 8},
        ),
        ([{"padding": "valid", "dilation": 3, "pooling": "average", "pool": 3}], {"block1.pooling": 9}),
        ([{"padding": "valid", "pooling": "stride"}, {"padding": "valid"}], {"block2.convolution": 7}),
        ([{"padding": "reflect"}, {"padding": "zero"}], {"block2.convolution": 8, "block2.pooling": 10}),
    ],
)
def test_the_receptive_field_has_the_expected_size(blocks: list[dict[str, Any]], expected: dict[str, int]) -> None:
    network = build([{"filters": 3, "activation": "sigmoid", **block} for block in blocks], (40, 40, 1))
    for name, module in network.feature_layers():
        if name not in expected:
            continue
        maps: list[Tensor] = []
        module.register_forward_hook(lambda _m, _i, output, maps=maps: maps.append(output))
        cells: list[Tensor] = []
        for seed in range(8):  # of a window, max pooling lets one cell through; which one depends on the picture
            images = torch.rand(4, 1, 40, 40, generator=torch.Generator().manual_seed(seed)).requires_grad_()
            network(images)
            middle = maps[-1].shape[-1] // 2
            (gradient,) = torch.autograd.grad(maps[-1][:, :, middle, middle].sum(), images)
            cells.append(gradient.abs().sum((0, 1)))
        seen = torch.stack(cells).sum(0)
        assert int((seen.sum(0) > 0).sum()) == int((seen.sum(1) > 0).sum()) == expected[name], name


# Refusals -------------------------------------------------------------------------------------------------------------

VALID = {"filters": 4, "padding": "valid"}


@pytest.mark.parametrize(
    ("blocks", "shape", "parts"),
    [
        (
            [{"filters": 4}] * 5,
            (28, 28, 1),
            ["model.blocks.4.pool: block 5, pooling: windows of 2x2", "28x28 -> 14x14 -> 7x7 -> 3x3 -> 1x1)"],
        ),
        (
            [{"filters": 4, "pool": 13}],
            (20, 12, 1),
            ["model.blocks.0.pool: block 1, pooling: windows of 13x13", "20x12"],
        ),
        (
            [VALID, VALID | {"kernel_size": 14}],
            (28, 28, 1),
            ["model.blocks.1.kernel_size: block 2, convolution: windows of 14x14", "28x28 -> 26x26 -> 13x13)"],
        ),
        ([VALID | {"dilation": 14}], (28, 28, 1), ["model.blocks.0.kernel_size", "windows of 29x29", "28x28"]),
        (
            [{"filters": 4, "pool": 14}, {"filters": 4, "padding": "reflect", "kernel_size": 5}],
            (28, 28, 1),
            ["model.blocks.1.kernel_size: block 2, convolution: 2 rows and columns of 2x2 cannot be reflected", "2x2)"],
        ),
    ],
)
def test_impossible_sizes_are_refused_with_all_sizes_so_far(
    blocks: list[dict[str, Any]], shape: tuple[int, int, int], parts: list[str]
) -> None:
    with pytest.raises(ValueError) as caught:
        build(blocks, shape)
    assert all(part in str(caught.value) for part in parts), caught.value
    assert "\n" not in str(caught.value)


def test_the_widest_possible_reflection_is_accepted() -> None:
    assert sizes(build([{"filters": 4, "padding": "reflect", "kernel_size": 7, "pooling": "none"}], (4, 4, 1)))
    assert sizes(build([{"filters": 4, "padding": "replicate", "kernel_size": 9, "pooling": "none"}], (4, 4, 1)))


@pytest.mark.parametrize("block", [{}, {"filters": 4, "kernel": 3}, {"filters": 4, "padding": "same"}])
def test_a_wrong_block_in_a_saved_config_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        build([block])

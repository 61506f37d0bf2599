"""Output layers: their nats, their gradients, and that they give distributions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from cvnlp.language.batches import IGNORED
from cvnlp.language.models import output
from cvnlp.language.models.chunks import chunked_nats
from cvnlp.language.models.output import ROW_MULTIPLE, Adaptive, Chunked, Grouped, Plain, cross_entropy, make_output
from cvnlp.params.language_networks import LstmOptions

SIZE, VOCABULARY = 16, 40
KINDS = ("plain", "chunked", "grouped", "adaptive")


def build(kind: str, **options: Any) -> Any:
    torch.manual_seed(3)
    return make_output(SIZE, VOCABULARY, LstmOptions(output=kind, **options))


def make_outputs(dtype: torch.dtype = torch.float32) -> Tensor:
    """Outputs of a last layer, (3, 5, SIZE)."""
    return torch.randn(3, 5, SIZE, generator=torch.Generator().manual_seed(1), dtype=dtype, requires_grad=True)


def make_targets() -> Tensor:
    """Frequent and rare tokens, some repeated, and two ignored ones."""
    targets = torch.randint(0, VOCABULARY, (3, 5), generator=torch.Generator().manual_seed(2))
    targets[0, :3] = torch.tensor([0, VOCABULARY - 1, 0])
    targets[1, 4] = targets[2, 0] = IGNORED
    return targets


def gradients(layer: Any, loss: Callable[[Tensor], Tensor], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """The gradients of `loss(nats)` by the outputs and every parameter."""
    outputs = make_outputs(dtype)
    return list(torch.autograd.grad(loss(layer.nats(outputs, make_targets())), [outputs, *layer.parameters()]))


def twin_of(layer: Chunked) -> Plain:
    twin = Plain(SIZE, VOCABULARY).to(layer.weight.dtype)
    twin.load_state_dict(layer.state_dict())
    return twin


def test_cross_entropy_skips_ignored_targets() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    nats = cross_entropy(logits, torch.tensor([[0, 1, IGNORED], [4, IGNORED, 2]]))
    assert nats.shape == (2, 3)
    assert nats[0, 2] == nats[1, 1] == 0
    assert nats[0, 1].item() == pytest.approx(-logits[0, 1].log_softmax(0)[1].item(), rel=1e-5)
    assert nats[1, 2].item() == pytest.approx(-logits[1, 2].log_softmax(0)[2].item(), rel=1e-5)


# Every output layer


@pytest.mark.parametrize("kind", KINDS)
def test_nats_equal_those_of_the_distribution(kind: str) -> None:
    layer, outputs, targets = build(kind), make_outputs(), make_targets()
    nats = layer.nats(outputs, targets)
    probabilities = layer(outputs).double().softmax(2)
    expected = -probabilities.gather(2, targets.clamp(min=0)[..., None])[..., 0].log() * (targets >= 0)
    assert nats.shape == targets.shape and nats.dtype == torch.float32
    assert torch.allclose(nats.double(), expected, atol=1e-5)
    assert not nats[targets == IGNORED].any()


@pytest.mark.parametrize("kind", KINDS)
def test_nats_are_the_same_with_and_without_gradients(kind: str) -> None:
    layer, targets = build(kind), make_targets()
    with torch.inference_mode():
        alone = layer.nats(make_outputs(), targets)
    assert torch.equal(layer.nats(make_outputs(), targets), alone)


@pytest.mark.parametrize("kind", KINDS)
def test_ignored_targets_have_no_loss_and_no_gradient(kind: str) -> None:
    layer, outputs = build(kind), make_outputs()
    nats = layer.nats(outputs, torch.full((3, 5), IGNORED))
    assert not nats.any()
    found = torch.autograd.grad(nats.sum(), [outputs, *layer.parameters()], allow_unused=True)
    assert not any(gradient is not None and gradient.any() for gradient in found)


@pytest.mark.parametrize("kind", KINDS)
def test_positions_are_independent(kind: str) -> None:
    layer, outputs, targets = build(kind), make_outputs(), make_targets()
    whole = layer.nats(outputs, targets)
    for row in range(3):
        single = layer.nats(outputs[row : row + 1, 2:], targets[row : row + 1, 2:])
        assert torch.allclose(single, whole[row : row + 1, 2:], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_gives_nats_in_fp32(kind: str) -> None:
    layer, outputs, targets = build(kind), make_outputs(), make_targets()
    with torch.autocast("cpu", torch.bfloat16):
        nats = layer.nats(outputs.bfloat16(), targets)
        nats.sum().backward()
    assert nats.dtype == torch.float32
    assert torch.allclose(nats, layer.nats(outputs, targets), atol=0.05)
    assert all(parameter.grad.dtype == torch.float32 for parameter in layer.parameters())


# Chunks


@pytest.mark.parametrize("rows", [1, 4, 15, 100])
@pytest.mark.parametrize("scale", [1.0, 0.01, -3.0])
def test_chunks_have_the_gradients_of_the_whole(rows: int, scale: float) -> None:
    layer = build("chunked")
    layer.max_rows = rows
    found = gradients(layer, lambda nats: scale * nats.sum())
    expected = gradients(twin_of(layer), lambda nats: scale * nats.sum())
    for mine, other in zip(found, expected, strict=True):
        assert torch.allclose(mine, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("rows", [2, 100])
def test_nats_may_have_different_weights(rows: int) -> None:
    weights = torch.rand(3, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64) - 0.5
    layer = build("chunked").double()
    layer.max_rows = rows
    found = gradients(layer, lambda nats: (nats * weights).sum(), torch.float64)
    expected = gradients(twin_of(layer), lambda nats: (nats * weights).sum(), torch.float64)
    for mine, other in zip(found, expected, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)  # the other's loss is computed in fp32


def test_gradients_equal_finite_differences() -> None:
    layer = build("chunked").double()
    inputs = (make_outputs(torch.float64).flatten(0, 1), layer.weight, layer.bias)
    targets = make_targets().flatten()
    assert torch.autograd.gradcheck(
        lambda *values: chunked_nats(*values, targets, dtype=torch.float64, max_rows=4), inputs, raise_exception=True
    )


def test_gradients_can_be_computed_twice() -> None:
    layer, outputs = build("chunked"), make_outputs()
    loss = layer.nats(outputs, make_targets()).sum()
    first = torch.autograd.grad(loss, layer.weight, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(2 * loss, layer.weight)[0], 2 * first)


def test_large_logits_neither_overflow_nor_underflow() -> None:
    layer = build("chunked")
    with torch.no_grad():
        layer.weight.mul_(1e4)
    found = layer.nats(make_outputs(), make_targets())
    assert torch.isfinite(found).all()
    assert torch.allclose(found, twin_of(layer).nats(make_outputs(), make_targets()), rtol=1e-5, atol=1e-2)
    assert all(torch.isfinite(gradient).all() for gradient in gradients(layer, torch.sum))


def test_reduced_products_have_the_precision_of_bfloat16() -> None:
    layer = build("chunked", output_precision="bf16")
    found, expected = (gradients(one, torch.sum) for one in (layer, twin_of(layer)))
    nats, exact = (one.nats(make_outputs(), make_targets()) for one in (layer, twin_of(layer)))
    assert 0 < (nats - exact).abs().max() < 0.03  # logits of at most 4 with 8 bits
    for mine, other in zip(found, expected, strict=True):
        assert mine.dtype == torch.float32
        assert 0 < (mine - other).norm() < 0.01 * other.norm()


def test_reduced_products_are_used_only_in_training() -> None:
    layer = build("chunked", output_precision="bf16").eval()
    exact = twin_of(layer).nats(make_outputs(), make_targets())
    assert torch.allclose(layer.nats(make_outputs(), make_targets()), exact, atol=1e-6)


class ShapesOfResults(TorchDispatchMode):
    """Records the shape of every tensor that torch computes."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.shapes |= {tuple(one.shape) for one in pytree.tree_leaves(result) if isinstance(one, Tensor)}
        return result


def test_no_more_logits_than_allowed_are_in_memory() -> None:
    layer = Chunked(SIZE, VOCABULARY, max_logits=4 * VOCABULARY + 1)
    with ShapesOfResults() as seen:
        layer.nats(make_outputs(), make_targets()).sum().backward()
    assert {shape[0] for shape in seen.shapes if shape[1:] == (VOCABULARY,)} - {SIZE} == {3, 4}  # SIZE: the weights


# Groups of tokens


@pytest.mark.parametrize("kind", ["grouped", "adaptive"])
@pytest.mark.parametrize("cutoffs", [None, [1], [10], [5, 39]])
def test_groups_make_a_distribution(kind: str, cutoffs: list[int] | None) -> None:
    found = build(kind, cutoffs=cutoffs)(make_outputs())
    assert found.shape == (3, 5, VOCABULARY)
    assert torch.allclose(found.exp().sum(2), torch.ones(3, 5), atol=1e-5)
    assert (found < 0).all()


def test_adaptive_probability_is_the_product_of_group_and_word() -> None:
    layer, outputs = build("adaptive", cutoffs=[10, 25]), make_outputs()
    groups, found = layer.groups, layer(outputs)
    head = groups.head(outputs).log_softmax(2)
    assert torch.allclose(found[..., :10], head[..., :10], atol=1e-6)
    for number, (start, end) in enumerate([(10, 25), (25, VOCABULARY)]):
        tail = groups.tail[number](outputs).log_softmax(2)
        assert torch.allclose(found[..., start:end], head[..., 10 + number, None] + tail, atol=1e-6)


def test_grouped_equals_torchs_adaptive_softmax_without_division() -> None:
    """Torch's has one more matrix per group, here the identity, and no biases of words, here 0."""
    layer, cutoffs = build("grouped", cutoffs=[10, 25]), [10, 25]
    twin = nn.AdaptiveLogSoftmaxWithLoss(SIZE, VOCABULARY, cutoffs, div_value=1, head_bias=True)
    frequent, *rarer = layer.weight.detach().split([10, 15, 15])
    with torch.no_grad():
        layer.bias[10:] = 0
        twin.head.weight.copy_(torch.cat([frequent, layer.groups.weight]))
        twin.head.bias.copy_(torch.cat([layer.bias[:10], layer.groups.bias]))
        for tail, words in zip(twin.tail, rarer, strict=True):
            nn.init.eye_(tail[0].weight)
            tail[1].weight.copy_(words)
    outputs, targets = make_outputs(), make_targets().clamp(min=0)
    assert torch.allclose(layer(outputs), twin.log_prob(outputs.flatten(0, 1)).view(3, 5, -1), atol=1e-6)
    assert torch.allclose(
        layer.nats(outputs, targets), -twin(outputs.flatten(0, 1), targets.flatten()).output.view(3, 5)
    )


def test_grouped_has_the_parameters_of_plain_and_one_vector_per_group() -> None:
    """Therefore its words can be tied to the embedding."""
    plain, grouped = build("plain").state_dict(), build("grouped").state_dict()
    assert {name: tensor.shape for name, tensor in grouped.items()} == {
        **{name: tensor.shape for name, tensor in plain.items()},
        "groups.weight": (2, SIZE),
        "groups.bias": (2,),
    }


def test_only_the_groups_of_the_targets_have_gradients() -> None:
    layer = build("grouped", cutoffs=[10, 25])
    layer.nats(make_outputs(), torch.full((3, 5), 12)).sum().backward()
    assert layer.weight.grad[:25].any(dim=1).all()
    assert not layer.weight.grad[25:].any()


def test_matrix_products_of_a_group_have_few_sizes() -> None:
    """However many of its tokens a window contains: libraries compile a kernel for each new size."""
    layer = build("grouped", cutoffs=[10])
    with ShapesOfResults() as seen:
        for many in range(16):
            targets = torch.zeros(15, dtype=torch.int64)
            targets[:many] = 12
            layer.nats(make_outputs(), targets.view(3, 5))
    assert {shape[0] for shape in seen.shapes if shape[1:] == (VOCABULARY - 10,)} - {SIZE} == {0, ROW_MULTIPLE}


def test_default_cutoffs_are_a_tenth_and_two_fifths() -> None:
    assert build("adaptive").groups.cutoffs == [4, 16, VOCABULARY]
    assert make_output(64, 10_000, LstmOptions(output="adaptive")).groups.cutoffs == [1000, 4000, 10_000]
    assert make_output(SIZE, 10_000, LstmOptions(output="grouped")).sizes == [1000, 3000, 6000]
    assert make_output(SIZE, 3, LstmOptions(output="adaptive"))(make_outputs()).shape == (3, 5, 3)


def test_frequent_targets_do_not_need_the_groups() -> None:
    layer = build("adaptive", cutoffs=[10])
    layer.groups.tail.register_module("0", nn.Module())  # which cannot be called
    assert layer.nats(make_outputs(), torch.full((3, 5), 9)).all()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("grouped", {"cutoffs": [VOCABULARY]}, r"model\.cutoffs: \[40\] must be below the 40 tokens"),
        ("adaptive", {"cutoffs": [VOCABULARY]}, r"model\.cutoffs: \[40\] must be below the 40 tokens"),
        ("adaptive", {"cutoffs": [5, 6, 7]}, r"model\.output: adaptive with 3 cutoffs needs .* 64 or more"),
    ],
)
def test_cutoffs_that_do_not_fit_the_vocabulary_or_the_layer_are_refused(
    kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(kind, **options)


def test_every_kind_has_its_class() -> None:
    assert [type(build(kind)) for kind in KINDS] == [Plain, Chunked, Grouped, Adaptive]


# On a GPU


@pytest.mark.parametrize("kind", ["chunked", "grouped"])
def test_a_gpu_computes_the_same_nats_and_gradients_from_all_logits(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, loss = build(kind), lambda nats: nats.square().sum()
    expected = [layer.nats(make_outputs(), make_targets()), *gradients(layer, loss)]
    monkeypatch.setattr(output, "on_gpu", lambda outputs: True)
    found = [layer.nats(make_outputs(), make_targets()), *gradients(layer, loss)]
    for mine, other in zip(found, expected, strict=True):
        assert torch.allclose(mine, other, atol=1e-5)


@pytest.mark.parametrize("kind", ["chunked", "grouped"])
def test_a_gpu_computes_too_many_logits_in_parts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_gpu", lambda outputs: True)
    monkeypatch.setattr(output, "GPU_LOGITS", 15 * VOCABULARY - 1)
    layer = build(kind)
    monkeypatch.setattr(layer, "forward", fail)
    layer.nats(make_outputs(), make_targets())
    assert not layer.is_whole_on_gpu(15) and layer.is_whole_on_gpu(14)


def fail(outputs: Tensor) -> Tensor:
    raise AssertionError("all logits at once")


def test_reduced_products_are_in_bfloat16_on_a_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_gpu", lambda outputs: True)
    layer, targets = build("chunked", output_precision="bf16"), make_targets()
    reduced, full = layer.nats(make_outputs(), targets), layer.eval().nats(make_outputs(), targets)
    assert reduced.dtype == torch.float32
    assert torch.allclose(reduced, full, atol=0.05) and not torch.equal(reduced, full)

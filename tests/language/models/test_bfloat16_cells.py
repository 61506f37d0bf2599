"""GRU and Elman layers in bfloat16 agree with torch's layers in float32, up to the rounding of bfloat16."""

import pytest
import torch
from torch import Tensor, nn

from cvnlp.language.models import bfloat16_cells

ROUNDING = 0.02  # relative to the largest value; bfloat16 has 8 bits
LAYERS: list[nn.GRU | nn.RNN] = [nn.GRU(8, 32, batch_first=True), nn.RNN(8, 32, batch_first=True)]


def gradients(layer: nn.Module, outputs: Tensor, last: Tensor, values: Tensor, state: Tensor) -> list[Tensor]:
    loss = (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum() + last.square().sum()
    return list(torch.autograd.grad(loss, [values, state, *layer.parameters()]))


@pytest.mark.parametrize("layer", LAYERS, ids=["gru", "rnn"])
def test_outputs_and_all_gradients_are_those_of_torch(layer: nn.GRU | nn.RNN) -> None:
    torch.manual_seed(0)
    values = torch.randn(5, 9, 8, requires_grad=True)
    state = torch.randn(1, 5, 32, requires_grad=True)
    expected = layer(values, state)
    with torch.autocast("cpu", torch.bfloat16):
        found = bfloat16_cells.run(layer, {}, values, state)
    pairs = zip(
        [*expected, *gradients(layer, *expected, values, state)],
        [*found, *gradients(layer, *found, values, state)],
        strict=True,
    )
    for there, here in pairs:
        assert here.shape == there.shape and here.dtype == torch.float32
        assert (here - there).abs().max() <= ROUNDING * there.abs().max()


@pytest.mark.parametrize("layer", LAYERS, ids=["gru", "rnn"])
def test_a_missing_state_is_zero_and_changed_weights_count(layer: nn.GRU | nn.RNN) -> None:
    torch.manual_seed(0)
    values = torch.randn(2, 3, 8)
    changed = {"weight_hh_l0": torch.zeros_like(layer.weight_hh_l0)}
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        first, _ = bfloat16_cells.run(layer, changed, values, None)
        second, _ = bfloat16_cells.run(layer, changed, values, torch.zeros(1, 2, 32))
        other, _ = bfloat16_cells.run(layer, {}, values, None)
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_only_layers_in_mixed_precision_on_a_processor_with_bfloat16_are_supported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = torch.zeros(1, 1, 8)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert not bfloat16_cells.is_supported(LAYERS[0], values)
    with torch.autocast("cpu", torch.bfloat16):
        assert all(bfloat16_cells.is_supported(layer, values) for layer in LAYERS)
        assert not bfloat16_cells.is_supported(nn.RNN(8, 8, nonlinearity="relu"), values)
        assert not bfloat16_cells.is_supported(nn.LSTM(8, 8), values)
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
        assert not bfloat16_cells.is_supported(LAYERS[0], values)

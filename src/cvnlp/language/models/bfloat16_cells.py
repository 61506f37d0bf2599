"""GRU and Elman layers in mixed precision on a processor with bfloat16 instructions.

torch has such a kernel for the LSTM only: in mixed precision its GRU and RNN are slower than in float32. Here the whole
sequence is one function with its own gradient: products of bfloat16, the state and all that is added up in float32.
Each step works in buffers small enough for the cache; the gradient of the recurrent matrix is one product at the end.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DTYPE = torch.bfloat16


def is_supported(layer: nn.Module, values: Tensor) -> bool:
    """Whether the layer is one of these, and is evaluated in mixed precision on such a processor."""
    known = isinstance(layer, nn.GRU) or (isinstance(layer, nn.RNN) and layer.nonlinearity == "tanh")
    mixed = values.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return known and mixed and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def run(layer: Any, changed: dict[str, Tensor], values: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """Outputs (B, T, hidden) and last state (1, B, hidden) of a layer, some of whose weights are `changed`."""
    weights = dict(layer.named_parameters()) | changed
    rows = values.transpose(0, 1)
    first = rows.new_zeros(rows.shape[1], layer.hidden_size, dtype=torch.float32) if state is None else state[0].float()
    bias, recurrent = weights["bias_hh_l0"], weights["weight_hh_l0"]
    if isinstance(layer, nn.GRU):
        gates, new = bias.split([2 * layer.hidden_size, layer.hidden_size])
        bias = F.pad(gates, (0, layer.hidden_size))  # that of the new state is multiplied by the reset gate
        inputs = F.linear(rows, weights["weight_ih_l0"], weights["bias_ih_l0"] + bias)
        outputs = _Gru.apply(inputs, first, recurrent, new)
    else:
        inputs = F.linear(rows, weights["weight_ih_l0"], weights["bias_ih_l0"] + bias)
        outputs = _Elman.apply(inputs, first, recurrent)
    return outputs.transpose(0, 1), outputs[-1:]


class _Elman(torch.autograd.Function):
    """h' = tanh(x + W h), for inputs x (T, B, H) that contain the biases."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, first: Tensor, weight: Tensor) -> Tensor:
        steps, rows, size = inputs.shape
        states = first.new_empty(steps + 1, rows, size)
        rounded = torch.empty(steps + 1, rows, size, dtype=DTYPE)
        states[0], rounded[0] = first, first
        turned, product = weight.to(DTYPE).t(), torch.empty(rows, size, dtype=DTYPE)
        for step in range(steps):
            torch.mm(rounded[step], turned, out=product)
            state = torch.add(product, inputs[step], out=states[step + 1]).tanh_()
            rounded[step + 1].copy_(state)
        ctx.save_for_backward(states, rounded, weight)
        return states[1:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        states, rounded, weight = ctx.saved_tensors
        (outer,) = gradients
        steps, rows, size = outer.shape
        inner = torch.empty(steps, rows, size, dtype=DTYPE)  # with respect to the arguments of tanh
        matrix, back = weight.to(DTYPE), torch.zeros(rows, size, dtype=DTYPE)
        total, slope = states.new_empty(rows, size), states.new_empty(rows, size)
        for step in reversed(range(steps)):
            state = states[step + 1]
            torch.add(outer[step], back, out=total)
            torch.mul(total, state, out=slope)
            inner[step].copy_(total.addcmul_(slope, state, value=-1))
            torch.mm(inner[step], matrix, out=back)
        return inner, back.float(), _weight_gradient(inner, rounded)


class _Gru(torch.autograd.Function):
    """Reset, update and new gate r, z, n in torch's order: h' = (1 - z) n + z h, n = tanh(x_n + r (W_n h + b)).

    `inputs` x (T, B, 3 H) contain the biases but b.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, first: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        (steps, rows, _), size = inputs.shape, first.shape[1]
        states, news, products = (first.new_empty(steps + extra, rows, size) for extra in (1, 0, 0))
        rounded = torch.empty(steps + 1, rows, size, dtype=DTYPE)
        gates = first.new_empty(steps, rows, 2 * size)
        states[0], rounded[0] = first, first
        turned, product = weight.to(DTYPE).t(), torch.empty(rows, 3 * size, dtype=DTYPE)
        for step in range(steps):
            torch.mm(rounded[step], turned, out=product)
            gate = torch.add(product[:, : 2 * size], inputs[step, :, : 2 * size], out=gates[step]).sigmoid_()
            recurrent = torch.add(product[:, 2 * size :], bias, out=products[step])
            new = torch.addcmul(inputs[step, :, 2 * size :], gate[:, :size], recurrent, out=news[step]).tanh_()
            rounded[step + 1].copy_(torch.lerp(new, states[step], gate[:, size:], out=states[step + 1]))
        ctx.save_for_backward(states, rounded, gates, news, products, weight)
        return states[1:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        states, rounded, gates, news, products, weight = ctx.saved_tensors
        (outer,) = gradients
        steps, rows, size = outer.shape
        inner = torch.empty(steps, rows, 3 * size, dtype=DTYPE)  # with respect to W h
        at_new = torch.empty(steps, rows, size, dtype=DTYPE)  # with respect to x_n
        matrix, back = weight.to(DTYPE), torch.zeros(rows, size, dtype=DTYPE)
        carried = torch.zeros(rows, size)
        total, kept, new_part, work = (torch.empty(rows, size) for _ in range(4))
        for step in reversed(range(steps)):
            reset, update = gates[step].split(size, dim=1)
            new, (to_reset, to_update, to_new) = news[step], inner[step].split(size, dim=1)
            torch.add(outer[step], torch.add(carried, back, out=work), out=total)
            torch.mul(total, update, out=kept)
            torch.sub(total, kept, out=new_part)
            new_part.addcmul_(torch.mul(new_part, new, out=work), new, value=-1)
            at_new[step].copy_(new_part)
            torch.addcmul(kept, kept, update, value=-1, out=total)
            torch.mul(total, torch.sub(states[step], new, out=work), out=to_update)
            to_new.copy_(torch.mul(new_part, reset, out=work))
            work.addcmul_(work, reset, value=-1)
            torch.mul(work, products[step], out=to_reset)
            torch.mm(inner[step], matrix, out=back)
            carried, kept = kept, carried
        bias = inner[:, :, 2 * size :].sum((0, 1), dtype=torch.float32)
        inputs = torch.cat([inner[:, :, : 2 * size], at_new], dim=2)
        return inputs, carried.add_(back), _weight_gradient(inner, rounded), bias


def _weight_gradient(inner: Tensor, rounded: Tensor) -> Tensor:
    """The gradient (n H, H) of a recurrent matrix over all steps."""
    return (inner.flatten(0, 1).t() @ rounded[:-1].flatten(0, 1)).float()

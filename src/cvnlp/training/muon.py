"""Muon: steps that turn a layer's weights in all directions alike (Jordan et al. 2024)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan's quintic, which brings singular values to about 1 fastest
ITERATIONS = 3
MOMENTUM = 0.6


class Muon(torch.optim.Optimizer):
    """Muon for the kernels of hidden convolutions, as in airbench94_muon for pictures; SGD with Nesterov for all else.

    A kernel, one row a filter, moves by `kernel_lr` along its orthogonalised momentum, after it was brought to a
    length of the square root of its filters: batch normalisation does not mind, and so a step turns every layer by as
    much. `lr`, `momentum` and `weight_decay` are those of all else: the first layer, the last, and what is no matrix.
    torch's own Muon takes matrices alone. ValueError for a network that has nothing of the kind.
    """

    def __init__(
        self, network: nn.Module, *, lr: float, kernel_lr: float, momentum: float, weight_decay: float
    ) -> None:
        kernels = hidden_kernels(network)
        known = set(map(id, kernels))
        others = [parameter for parameter in network.parameters() if id(parameter) not in known]
        groups = [
            {"params": others, "kernels": False},
            {"params": kernels, "kernels": True, "lr": kernel_lr, "momentum": MOMENTUM, "weight_decay": 0.0},
        ]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])
        momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        momentum.mul_(group["momentum"]).add_(gradient)
        update = gradient.add(momentum, alpha=group["momentum"])  # Nesterov's
        if group["kernels"]:
            parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
            update = orthogonal(update.flatten(1)).view_as(update)
        parameter.add_(update, alpha=-group["lr"])


def hidden_kernels(network: nn.Module) -> list[Tensor]:
    """Of all convolutions but the first, in the order of the network."""
    if not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        raise ValueError("optimiser muon is for networks with batch normalisation; take sgd or adamw")
    kernels = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    if len(kernels) < 2:
        raise ValueError("optimiser muon is for networks of two convolutions and more; take sgd or adamw")
    return kernels[1:]


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix with the singular vectors of this one and singular values of about 1 (0.7 to 1.2), by Newton-Schulz.

    Small ones, below a hundredth of the largest, rise but stay smaller.
    """
    first, second, third = COEFFICIENTS
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = wide @ wide.T
        wide = first * wide + (second * square + third * square @ square) @ wide
    return wide.T if len(matrix) > matrix.shape[1] else wide

"""Muon, an optimiser with orthogonalised updates (Jordan et al. 2024)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan's quintic Newton-Schulz iteration, tuned for few iterations
ITERATIONS = 3
MOMENTUM = 0.6  # of the kernels


class Muon(torch.optim.Optimizer):
    """Muon for the kernels of hidden convolutions, as in airbench94_muon, and SGD with Nesterov momentum for the rest.

    A kernel, as a matrix of one row per filter, is scaled to the norm sqrt(filters) and moved by `kernel_lr` along its
    orthogonalised momentum. Batch normalisation makes the scale irrelevant, and a step rotates all layers by the same
    angle. `lr`, `momentum` and `weight_decay` are for all other parameters: first and last layer, biases,
    normalisation. torch's own Muon accepts only matrices. ValueError for a network without hidden convolutions or
    without batch normalisation.
    """

    def __init__(
        self, network: nn.Module, *, lr: float, kernel_lr: float, momentum: float, weight_decay: float
    ) -> None:
        kernels = hidden_kernels(network)
        kernel_ids = {id(kernel) for kernel in kernels}
        others = [parameter for parameter in network.parameters() if id(parameter) not in kernel_ids]
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
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"]
        momentum.mul_(group["momentum"]).add_(gradient)
        update = gradient.add(momentum, alpha=group["momentum"])  # Nesterov
        if group["kernels"]:
            parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
            update = orthogonal(update.flatten(1)).view_as(update)
        if isinstance(group["lr"], Tensor):  # in a recorded step
            parameter.addcmul_(update, group["lr"], value=-1.0)
        else:
            parameter.add_(update, alpha=-group["lr"])


def hidden_kernels(network: nn.Module) -> list[Tensor]:
    """The weights of all convolutions but the first, in the order of the network."""
    if not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        raise ValueError("train.optimiser.name: muon needs batch normalisation in the network; take sgd or adamw")
    kernels = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    if len(kernels) < 2:
        raise ValueError("train.optimiser.name: muon needs two or more convolutions in the network; take sgd or adamw")
    return kernels[1:]


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with the same singular vectors and singular values of about 1 (0.7 to 1.2), by Newton-Schulz.

    Singular values below a hundredth of the largest become larger, but stay below that.
    """
    first, second, third = COEFFICIENTS
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = wide @ wide.T
        wide = first * wide + (second * square + third * square @ square) @ wide
    return wide.T if len(matrix) > matrix.shape[1] else wide

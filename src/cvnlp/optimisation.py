"""Optimisers and schedules of the learning rate."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def make_optimiser(
    network: nn.Module, *, name: str, lr: float, weight_decay: float, momentum: float, **_schedule: Any
) -> torch.optim.Optimizer:
    """AdamW, or SGD (with momentum: Nesterov's); fused, which on the CPU is several times faster a step."""
    parameters = list(network.parameters())
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)
    return torch.optim.SGD(
        parameters, lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=momentum > 0, fused=True
    )


def schedule(name: str, warmup: float, steps: int) -> Callable[[int], float]:
    """The factor of the learning rate at a step: up in a line over the share `warmup`, then along `name` towards 0."""
    rising = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        left = 1 - (step - rising) / max(1, steps - rising)
        return {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[name]

    return factor

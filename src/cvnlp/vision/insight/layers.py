"""The layers of a network whose outputs are maps (B, C, H, W), what they answer to pictures, and pictures to ask."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.networks import device

Layers = list[tuple[str, nn.Module]]


class _ReachedError(Exception):
    """The last layer asked for has answered: what follows need not be computed, and may refuse larger pictures."""


def feature_layers(network: nn.Module) -> Layers:
    """(name, module) in the order of the computation; empty for a network without maps."""
    offered = getattr(network, "feature_layers", None)
    return list(offered()) if offered is not None else []


def blocks(names: list[str]) -> dict[str, str]:
    """Name of each block, fit for a score -> its last layer; a block are the layers `block.layer`, or one alone."""
    return {re.sub(r"\W+", "_", name.rpartition(".")[0] or name): name for name in names}


def answers(network: nn.Module, layers: Layers, images: Tensor) -> dict[str, Tensor]:
    """The maps of `layers` for `images`; the network is computed no further than the last of them."""
    found: dict[str, Tensor] = {}

    def keeper(name: str) -> Any:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found[name] = output
            if len(found) == len(layers):
                raise _ReachedError

        return keep

    hooks = [module.register_forward_hook(keeper(name)) for name, module in layers]
    try:
        network(images)
    except _ReachedError:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return found


def count(data: Path, split: str) -> int:
    return len(prepared.load_array(data, f"{split}_labels"))


def evenly(total: int, wanted: int) -> np.ndarray:
    """At most `wanted` of the numbers 0 to total - 1, evenly from the first to the last."""
    return np.linspace(0, total - 1, min(wanted, total)).astype(int)


def pictures(data: Path, split: str, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images float (N, C, H, W) in [0, 1] and labels int64 (N,), of these rows of a split."""
    images = torch.from_numpy(prepared.load_array(data, f"{split}_images")[rows]).permute(0, 3, 1, 2)
    labels = torch.from_numpy(prepared.load_array(data, f"{split}_labels")[rows].astype(np.int64))
    return images.to(device()).float() / 255, labels.to(device())

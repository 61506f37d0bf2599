"""The layers of a network whose outputs are feature maps (B, C, H, W), and the computation of these maps."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.launch.devices import device
from cvnlp.vision.batches import to_tensor

Layers = list[tuple[str, nn.Module]]  # name and module, in the order of the computation


class _LastLayerReachedError(Exception):
    """Ends a forward pass behind the last of the wanted layers: a head may refuse images of another size."""


def feature_layers(network: nn.Module) -> Layers:
    """All layers with feature maps, in the order of the computation; none for a network without maps."""
    offered = getattr(network, "feature_layers", None)
    return list(offered()) if offered is not None else []


def last_layers(names: list[str]) -> dict[str, str]:
    """Name of each block (with `_` for what is no letter or digit) -> its last layer.

    The layers `block.layer` form a block; a layer without a dot is a block by itself.
    """
    return {re.sub(r"\W+", "_", name.rpartition(".")[0] or name): name for name in names}


def compute_maps(network: nn.Module, layers: Layers, images: Tensor) -> dict[str, Tensor]:
    """Feature maps by layer; the network is computed no further than the last of `layers`."""
    maps: dict[str, Tensor] = {}

    def make_hook(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            maps[name] = output
            if len(maps) == len(layers):
                raise _LastLayerReachedError

        return keep

    hooks = [module.register_forward_hook(make_hook(name)) for name, module in layers]
    try:
        network(images)
    except _LastLayerReachedError:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return maps


def load_images(data: Path, split: str, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images float (N, C, H, W) in [0, 1] and labels int64 (N,) of some rows of a split, on the default device."""
    labels = prepared.load_array(data, f"{split}_labels")[rows].astype(np.int64)
    images = to_tensor(prepared.load_array(data, f"{split}_images")[rows])
    return images.to(device()), torch.from_numpy(labels).to(device())

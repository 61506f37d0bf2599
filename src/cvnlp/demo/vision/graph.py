"""A network as a graph of the operations of the demo page, with its weights.

A node is a dictionary: `op`, the numbers of its `inputs` (0 is the image), attributes, and `arrays`: the names of its
weights. Nodes with a `name` are shown. Data are (C, H, W), or (N,) after `flatten`.
"""

from typing import Any

import numpy as np
from torch import Tensor


class Graph:
    """Nodes and arrays, to which layers are added one after the other."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape  # (height, width, channels) of the image
        self.nodes: list[dict[str, Any]] = [{"op": "image", "inputs": []}]
        self.arrays: dict[str, np.ndarray] = {}

    def add(
        self, op: str, *inputs: int, name: str | None = None, arrays: dict[str, Tensor] | None = None, **attributes: Any
    ) -> int:
        """Append a node; returns its number."""
        number, keys = len(self.nodes), {}
        for key, tensor in (arrays or {}).items():
            keys[key] = f"{number}.{key}"
            self.arrays[keys[key]] = tensor.detach().float().cpu().contiguous().numpy()
        node = {"op": op, "inputs": list(inputs), "arrays": keys, **attributes}
        self.nodes.append(node | ({"name": name} if name else {}))
        return number

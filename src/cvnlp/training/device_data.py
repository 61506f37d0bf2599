"""Prepared arrays in the memory of a GPU."""

import numpy as np
import torch
from torch import Tensor

FREE_SHARE = 0.5  # of the free memory of a GPU, that data may take


class DeviceData:
    """Arrays that are copied to the GPU once, if `enabled`."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self._arrays: dict[str, Tensor] = {}

    def arrays(self, device: torch.device, **arrays: np.ndarray) -> list[Tensor] | None:
        """The arrays on the GPU; None on another device, or if they do not fit."""
        missing = {name: array for name, array in arrays.items() if name not in self._arrays}
        if not self.has_room(device, sum(array.nbytes for array in missing.values())):
            return None
        self._arrays |= {name: _to_tensor(array).to(device) for name, array in missing.items()}
        return [self._arrays[name] for name in arrays]

    def has_room(self, device: torch.device, size: int) -> bool:
        """Whether `device` is a GPU that has room for data of `size` bytes."""
        return self.enabled and device.type == "cuda" and size <= FREE_SHARE * torch.cuda.mem_get_info(device)[0]


def _to_tensor(array: np.ndarray) -> Tensor:
    """A copy of a prepared array; of uint16, which torch cannot index on a GPU, as int32."""
    return torch.from_numpy(array.astype(np.int32 if array.dtype == np.uint16 else array.dtype))

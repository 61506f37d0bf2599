"""The receptive field of every layer, computed from the kernels, strides and paddings of the layers before it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cvnlp.vision.insight.layers import Layers, compute_maps

aten = torch.ops.aten


@dataclass(frozen=True)
class Field:
    """A receptive field along one axis: unit i covers the `size` pixels from start + i * stride on, padding included.

    Dumoulin & Visin 2016; Araujo et al. 2019, also for networks with branches.
    """

    size: int = 1
    stride: int = 1
    start: int = 0

    @property
    def centre(self) -> float:
        """Centre of the first unit's field, in pixels from the centre of the first pixel."""
        return self.start + (self.size - 1) / 2

    def after(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "Field":
        """The field after one more layer."""
        size = self.size + (kernel - 1) * dilation * self.stride
        return Field(size, self.stride * stride, self.start - padding * self.stride)

    def union(self, other: "Field") -> "Field | None":
        """The field of a sum of two branches; None if their strides differ."""
        start, end = min(self.start, other.start), max(self.start + self.size, other.start + other.size)
        return Field(end - start, self.stride, start) if self.stride == other.stride else None

    def window(self, unit: int, length: int) -> tuple[int, int]:
        """First pixel and end of the field of `unit` within an image of `length` pixels."""
        first = self.start + unit * self.stride
        return min(max(first, 0), length), min(max(first + self.size, 0), length)


Fields = tuple[Field, Field]  # vertical, horizontal


def is_padding(fields: Fields | None) -> bool:
    """Whether nothing but padding precedes: each unit covers one pixel."""
    return fields is not None and all(field.size == field.stride == 1 for field in fields)


@torch.no_grad()
def receptive_fields(network: nn.Module, layers: Layers, images: Tensor) -> dict[str, Fields | None]:
    """The fields of every layer; None after an operation that is not supported.

    Follows the operations that `images` pass through, and not the list of modules: functional calls and branches count.
    """
    tracker = _FieldTracker(images)
    padding = [module for module in network.modules() if isinstance(module, (nn.ReflectionPad2d, nn.CircularPad2d))]
    hooks = [module.register_forward_hook(tracker.after_padding) for module in padding]
    with tracker:
        maps = compute_maps(network, layers, images)
    for hook in hooks:
        hook.remove()
    return {name: tracker.fields(output) for name, output in maps.items()}


class _FieldTracker(TorchDispatchMode):
    """Holds the fields of every tensor that is computed from the images."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # by the id of a tensor, which is held as well, so that no other gets the same id
        self._fields: dict[int, tuple[Tensor, Fields | None]] = {id(images): (images, (Field(), Field()))}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and torch's compiler takes seconds to import

    def fields(self, tensor: Tensor) -> Fields | None:
        return self._fields.get(id(tensor), (tensor, None))[1]

    def after_padding(self, module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Set the fields after mirrored or circular padding, whose pieces have none on their own."""
        left, _, top, _ = module.padding
        before = self.fields(inputs[0])
        if before is not None:
            self._fields[id(output)] = (output, (before[0].after(1, padding=top), before[1].after(1, padding=left)))

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and id(leaf) in self._fields]
        if inputs:
            names = (argument.name for argument in function._schema.arguments)
            arguments = dict(zip(names, args, strict=False)) | (kwargs or {})
            before = _union([self.fields(tensor) for tensor in inputs])
            for tensor in tree_leaves(output):
                fields = _fields_after(function.overloadpacket, arguments, inputs, tensor, before)
                self._fields[id(tensor)] = (tensor, fields)
        return output


def _union(branches: list[Fields | None]) -> Fields | None:
    joined = branches[0]
    for branch in branches[1:]:
        if joined is None or branch is None:
            return None
        vertical, horizontal = joined[0].union(branch[0]), joined[1].union(branch[1])
        joined = (vertical, horizontal) if vertical and horizontal else None
    return joined


def _fields_after(
    operation: Any, arguments: dict[str, Any], inputs: list[Tensor], output: Any, before: Fields | None
) -> Fields | None:
    if before is None or not isinstance(output, Tensor) or any(tensor.dim() != 4 for tensor in [output, *inputs]):
        return None
    geometry = _geometry(operation, arguments)
    if geometry is None:  # an elementwise operation keeps the size
        sizes = {tensor.shape[2:] for tensor in [output, *inputs]}
        return before if len(sizes) == 1 else None
    vertical, horizontal = (
        field.after(*of_axis) for field, of_axis in zip(before, zip(*geometry, strict=True), strict=True)
    )
    return vertical, horizontal


def _geometry(operation: Any, arguments: dict[str, Any]) -> tuple[tuple[int, int], ...] | None:
    """Kernel, stride, padding and dilation, each (vertical, horizontal); None for an operation without a kernel."""
    if operation in (aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d):
        left, _, top, _ = (*arguments.get("pad", arguments.get("padding", ())), 0, 0)[:4]
        return (1, 1), (1, 1), (top, left), (1, 1)
    if operation is aten.convolution and not arguments["transposed"]:
        kernel = tuple(arguments["weight"].shape[2:])
    elif operation in (aten.max_pool2d_with_indices, aten.avg_pool2d):
        kernel = _pair(arguments["kernel_size"])
    else:
        return None
    stride = _pair(arguments.get("stride") or kernel)
    return kernel, stride, _pair(arguments.get("padding", 0)), _pair(arguments.get("dilation", 1))


def _pair(value: Any) -> tuple[int, int]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return (values * 2)[0], (values * 2)[1]

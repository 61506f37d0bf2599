"""The receptive field of every layer by arithmetic: convolution by convolution, pooling by pooling."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cvnlp.vision.insight.layers import Layers, answers

aten = torch.ops.aten


@dataclass(frozen=True)
class Field:
    """Along one axis, unit i sees the `size` pixels from start + i * stride on, those of the padding included.

    Dumoulin & Visin 2016; Araujo et al. 2019, who also treat networks with branches.
    """

    size: int = 1
    stride: int = 1
    start: int = 0

    @property
    def centre(self) -> float:
        """Of the first unit, in pixels from the middle of the first pixel."""
        return self.start + (self.size - 1) / 2

    def through(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "Field":
        """The field behind one more layer."""
        size = self.size + (kernel - 1) * dilation * self.stride
        return Field(size, self.stride * stride, self.start - padding * self.stride)

    def join(self, other: "Field") -> "Field | None":
        """What a sum of two branches sees; None if their units lie at different distances."""
        start, end = min(self.start, other.start), max(self.start + self.size, other.start + other.size)
        return Field(end - start, self.stride, start) if self.stride == other.stride else None

    def window(self, unit: int, length: int) -> tuple[int, int]:
        """First pixel and end of what `unit` sees of a picture of `length` pixels."""
        first = self.start + unit * self.stride
        return min(max(first, 0), length), min(max(first + self.size, 0), length)


Fields = tuple[Field, Field]  # vertical, horizontal


def is_border(fields: Fields | None) -> bool:
    """Whether a layer has only put something around the picture."""
    return fields is not None and all(field.size == field.stride == 1 for field in fields)


@torch.no_grad()
def theory(network: nn.Module, layers: Layers, images: Tensor) -> dict[str, Fields | None]:
    """The fields of every layer, from the operations that `images` go through; None behind one not known here.

    Followed is the computation itself, not the list of modules: functional calls and branches count as well.
    """
    following = _Following(images)
    mirrors = [module for module in network.modules() if isinstance(module, (nn.ReflectionPad2d, nn.CircularPad2d))]
    hooks = [module.register_forward_hook(following.mirrored) for module in mirrors]
    with following:
        maps = answers(network, layers, images)
    for hook in hooks:
        hook.remove()
    return {name: following.fields(output) for name, output in maps.items()}


class _Following(TorchDispatchMode):
    """Keeps the fields of every tensor that is computed from the picture."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: dict[int, tuple[Tensor, Fields | None]] = {id(images): (images, (Field(), Field()))}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and torch's compiler takes seconds to import

    def fields(self, tensor: Tensor) -> Fields | None:
        return self.known.get(id(tensor), (tensor, None))[1]

    def mirrored(self, module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """A border that is put together of pieces: each of them alone would be no map of the picture."""
        left, _, top, _ = module.padding
        before = self.fields(inputs[0])
        if before is not None:
            self.known[id(output)] = (output, (before[0].through(1, padding=top), before[1].through(1, padding=left)))

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and id(leaf) in self.known]
        if inputs:
            given = dict(zip((argument.name for argument in function._schema.arguments), args, strict=False))
            before = _joined([self.fields(tensor) for tensor in inputs])
            for tensor in tree_leaves(output):
                after = _behind(function.overloadpacket, given | (kwargs or {}), inputs, tensor, before)
                self.known[id(tensor)] = (tensor, after)  # the tensor is kept, so that no other gets its id
        return output


def _joined(branches: list[Fields | None]) -> Fields | None:
    joined = branches[0]
    for branch in branches[1:]:
        if joined is None or branch is None:
            return None
        vertical, horizontal = joined[0].join(branch[0]), joined[1].join(branch[1])
        joined = (vertical, horizontal) if vertical and horizontal else None
    return joined


def _behind(operation: Any, given: dict[str, Any], inputs: list[Tensor], output: Any, before: Any) -> Fields | None:
    if before is None or not isinstance(output, Tensor) or any(tensor.dim() != 4 for tensor in [output, *inputs]):
        return None
    steps = _steps(operation, given)
    if steps is None:  # an operation on every place by itself keeps the size
        sizes = {tensor.shape[2:] for tensor in [output, *inputs]}
        return before if len(sizes) == 1 else None
    vertical, horizontal = (field.through(*step) for field, step in zip(before, zip(*steps, strict=True), strict=True))
    return vertical, horizontal


def _steps(operation: Any, given: dict[str, Any]) -> tuple[tuple[int, int], ...] | None:
    """Kernel, stride, padding and dilation, each (vertical, horizontal), of an operation that has them."""
    if operation in (aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d):
        left, _, top, _ = (*given.get("pad", given.get("padding", ())), 0, 0)[:4]
        return (1, 1), (1, 1), (top, left), (1, 1)
    if operation is aten.convolution and not given["transposed"]:
        kernel = tuple(given["weight"].shape[2:])
    elif operation in (aten.max_pool2d_with_indices, aten.avg_pool2d):
        kernel = _pair(given["kernel_size"])
    else:
        return None
    stride = _pair(given.get("stride") or kernel)
    return kernel, stride, _pair(given.get("padding", 0)), _pair(given.get("dilation", 1))


def _pair(value: Any) -> tuple[int, int]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return (values * 2)[0], (values * 2)[1]

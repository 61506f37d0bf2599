"""What a half contributes to the export of a model: tensors in, tensors out, and a description for people."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Field:
    """One input or output; an axis of any length has a letter in `shape`."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str


@dataclass(frozen=True)
class Description:
    """A model for the README of its folder.

    `processing`: from a file to the network's input, a paragraph each. `labels`: the name of a JSON file with the names
    of the outputs, its content, and the names themselves. `code`: an example in Python for each format.
    """

    title: str
    processing: Sequence[str]
    labels: tuple[str, Any]
    names: Sequence[str]
    code: Mapping[str, str]


@dataclass(frozen=True)
class Portable:
    """A network whose inputs and outputs are tensors only, on the CPU.

    `modules`: the module to export, by format; that of pt2 computes. `operators`: those of the traced module that are
    replaced by others before it is written. `example`: random inputs of a number of examples. `metadata` is stored in
    the ONNX file.
    """

    modules: Mapping[str, nn.Module]
    inputs: Sequence[Field]
    outputs: Sequence[Field]
    example: Callable[[int], tuple[Tensor, ...]]
    metadata: Mapping[str, str]
    operators: Mapping[Any, Any] = field(default_factory=dict)

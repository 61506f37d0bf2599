"""Write a network as an ONNX file or as a torch.export program, and compare the file with the network."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from cvnlp.export.portable import Field, Portable

OPSET = 18  # of ONNX
TRACED, CHECKED = 2, 3  # examples with which a network is traced, and with which the file is compared with it
TOLERANCE = 1e-4  # of the comparison, absolute and relative
REASON_LENGTH = 200


def write_onnx(portable: Portable, folder: Path) -> Path:
    """Write model.onnx, one file with the weights inside; ValueError if ONNX lacks an operation of the network."""
    path = folder / "model.onnx"
    with _quiet(), _explained("onnx"):
        exported: Any = torch.onnx.export(
            trace(portable, "onnx"),
            dynamo=True,
            opset_version=OPSET,
            input_names=[one.name for one in portable.inputs],
            output_names=[one.name for one in portable.outputs],
            verbose=False,
        )
        _name_axes(exported.model, portable)
        _remove_traces(exported.model)
        exported.model.metadata_props.update(portable.metadata)
        exported.save(path, external_data=False)
    _check(portable, "onnx", run_onnx(path, portable, portable.example(CHECKED)))
    return path


def write_pt2(portable: Portable, folder: Path) -> Path:
    """Write model.pt2; ValueError if the network cannot be traced."""
    path = folder / "model.pt2"
    with _quiet(), _explained("pt2"):
        program = trace(portable, "pt2")
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # lines of code and paths of this machine
            if node.target in portable.operators:
                node.target = portable.operators[node.target]
        program.graph_module.recompile()
        torch.export.save(program, path)
        reloaded = torch.export.load(path).module()
    with torch.inference_mode():
        found = reloaded(*portable.example(CHECKED))
    _check(portable, "pt2", [one.numpy() for one in _as_tuple(found)])
    return path


WRITERS: dict[str, Callable[[Portable, Path], Path]] = {"onnx": write_onnx, "pt2": write_pt2}


def trace(portable: Portable, form: str) -> ExportedProgram:
    """The operations of the network; the axes with a letter have any length."""
    axes = {axis: Dim(axis) for one in portable.inputs for axis in one.shape if isinstance(axis, str)}
    shapes = tuple(_dynamic_axes(one, axes) for one in portable.inputs)
    with torch.no_grad():
        return torch.export.export(
            _Positional(portable.modules[form]), portable.example(TRACED), dynamic_shapes=(shapes,)
        )


class _Positional(nn.Module):
    """The same module; any number of inputs, so that the shapes of all can be given as one tuple."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.module(*inputs)


def _dynamic_axes(one: Field, axes: dict[str, Any]) -> dict[int, Any]:
    return {place: axes[axis] for place, axis in enumerate(one.shape) if isinstance(axis, str)}


def run_onnx(path: Path, portable: Portable, inputs: Sequence[Tensor]) -> list[np.ndarray]:
    """The outputs of an ONNX file, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {one.name: tensor.numpy() for one, tensor in zip(portable.inputs, inputs, strict=True)}
    outputs: list[np.ndarray] = session.run([one.name for one in portable.outputs], given)
    return outputs


def _check(portable: Portable, form: str, found: Sequence[np.ndarray]) -> None:
    """Compare the outputs `found` with those of the network itself."""
    with torch.inference_mode():
        expected = _as_tuple(portable.modules["pt2"](*portable.example(CHECKED)))
    for one, wanted, given in zip(portable.outputs, expected, found, strict=True):
        if not np.allclose(wanted.numpy(), given, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            worst = float(np.abs(wanted.numpy() - given).max())
            raise ValueError(f"the file in the format {form} differs from the network: {one.name} by up to {worst:.2g}")


def _as_tuple(outputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _name_axes(model: Any, portable: Portable) -> None:
    """Give the axes of any length their letters, instead of torch's symbols, in all shapes of the graph."""
    letters = {
        str(symbol): letter
        for value, one in zip(model.graph.inputs, portable.inputs, strict=True)
        for symbol, letter in zip(value.shape, one.shape, strict=True)
        if isinstance(letter, str)
    }
    inner = [value for node in model.graph.all_nodes() for value in node.outputs]
    for value in [*model.graph.inputs, *inner]:
        for place, length in enumerate(value.shape or ()):
            if str(length) in letters:
                value.shape[place] = letters[str(length)]


def _remove_traces(model: Any) -> None:
    """Remove what tells where a node comes from: lines of code and paths of this machine."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in [*model.graph.inputs, *model.graph.initializers.values()]:
        value.metadata_props.clear()
    model.graph.metadata_props.clear()


@contextlib.contextmanager
def _explained(form: str) -> Iterator[None]:
    """Errors of the exporters, which have hundreds of lines, as one."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # torch.export and torch.onnx raise many kinds
        reason = " ".join(str(error).split())[:REASON_LENGTH]
        raise ValueError(
            f"the network cannot be exported as {form} ({type(error).__name__}: {reason}); safetensors works"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of the exporters, which concern their own code."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)

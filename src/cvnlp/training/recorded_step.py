"""Steps of a training that a GPU repeats from a recording (a CUDA graph).

A step launches hundreds of kernels. For a small network the processor takes longer to launch them than the GPU to run
them; a recording launches all of them at once. The results are the same: the same kernels run on the same numbers.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

WARM_UP = 3  # steps before the recording, in which gradients, sums and the state of the optimiser are created


class Recording(Protocol):
    """Work on a device that can be recorded once and repeated on the same tensors."""

    def run(self, work: Callable[[], None]) -> None: ...
    def record(self, work: Callable[[], None]) -> None: ...
    def repeat(self) -> None: ...


class CudaGraph:
    """A recording by CUDA; `run` uses the same stream, which torch requires of the steps before."""

    def __init__(self) -> None:
        self.graph, self.stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()

    def run(self, work: Callable[[], None]) -> None:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            work()
        torch.cuda.current_stream().wait_stream(self.stream)

    def record(self, work: Callable[[], None]) -> None:
        with torch.cuda.graph(self.graph, stream=self.stream):
            work()

    def repeat(self) -> None:
        self.graph.replay()


class RecordedTask(Protocol):
    """What a recorded step needs of a task."""

    state: Any

    def loss(self, batch: Any) -> Tensor: ...
    def clip_gradient_norm(self) -> None: ...


class RecordedStep:
    """The steps of a training: loss with its metrics, gradients, clipping and optimiser.

    The first WARM_UP batches are computed as usual, the next one is recorded. From then on the recording is repeated
    for batches of the same shape; others, such as the last of an epoch, are computed as usual. What may differ from
    step to step is copied into the tensors of the recording: the batch, the state that the one before has left, and the
    learning rates.
    """

    def __init__(self, task: RecordedTask, optimiser: torch.optim.Optimizer, recording: Recording) -> None:
        self.task, self.optimiser, self.recording = task, optimiser, recording
        device = optimiser.param_groups[0]["params"][0].device
        self.rates = [torch.tensor(float(group["lr"]), device=device) for group in optimiser.param_groups]
        self.shapes: list[torch.Size] | None = None
        self.computed = 0
        self.batch: Any = None
        self.state: Any = None

    def __call__(self, batch: Any) -> None:
        """Train on a batch, a named tuple."""
        for rate, group in zip(self.rates, self.optimiser.param_groups, strict=True):
            rate.fill_(group["lr"])
        shapes = [part.shape for part in batch if isinstance(part, Tensor)]
        self.shapes = self.shapes or shapes
        if self.batch is None and self.computed >= WARM_UP and shapes == self.shapes and not _starts_anew(batch):
            self._record(batch)
        if self.batch is None or shapes != self.shapes:
            self.recording.run(partial(self._step, batch))
            self.computed += 1
            return
        self._load(batch)
        self.recording.repeat()

    def _record(self, batch: Any) -> None:
        self.batch = type(batch)(*(part.clone() if isinstance(part, Tensor) else part for part in batch))
        self.state = self.task.state = _copy(self.task.state)
        self.recording.record(self._recorded_step)

    def _recorded_step(self) -> None:
        self._step(self.batch)
        for kept, new in zip(_tensors(self.state), _tensors(self.task.state), strict=True):
            kept.copy_(new)
        self.task.state = self.state

    def _load(self, batch: Any) -> None:
        """Copy a batch and the state before it into the tensors of the recording."""
        for kept, new in zip(self.batch, batch, strict=True):
            if isinstance(kept, Tensor):
                kept.copy_(new)
        if _starts_anew(batch):
            for kept in _tensors(self.state):
                kept.zero_()
        elif self.task.state is not self.state:
            for kept, new in zip(_tensors(self.state), _tensors(self.task.state), strict=True):
                kept.copy_(new)
        self.task.state = self.state

    def _step(self, batch: Any) -> None:
        self.optimiser.zero_grad()
        loss = self.task.loss(batch)
        with torch.autocast(loss.device.type, enabled=False), self._rates_on_device():  # mixed precision: the loss only
            loss.backward()
            self.task.clip_gradient_norm()
            self.optimiser.step()

    @contextlib.contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """Let the optimiser read its rates from tensors, so that a recorded step follows the schedule."""
        groups = self.optimiser.param_groups
        kept = [dict(group) for group in groups]
        for group, rate in zip(groups, self.rates, strict=True):
            group |= {"lr": rate, "capturable": True} if "capturable" in group else {"lr": rate}
        try:
            yield
        finally:
            for group, values in zip(groups, kept, strict=True):
                group |= values


def _starts_anew(batch: Any) -> bool:
    """Whether the batch does not continue the state of the one before."""
    return bool(getattr(batch, "reset_state", False))


def _copy(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.clone()
    return state if state is None else tuple(_copy(part) for part in state)


def _tensors(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    return [] if state is None else [tensor for part in state for tensor in _tensors(part)]

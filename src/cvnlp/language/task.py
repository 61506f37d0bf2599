"""How a language model is trained: truncated backpropagation through time, the state carried from window to window."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.batches import IGNORED
from cvnlp.language.models.recurrent import State
from cvnlp.training import BaseTask


class Task(BaseTask):
    state: State = None

    def training_step(self, batch: tuple[Tensor, Tensor, bool]) -> Tensor:
        total, count = self._read(batch)
        self.tally("train_loss", total, count)
        return total / count

    def validation_step(self, batch: tuple[Tensor, Tensor, bool]) -> None:
        self.tally("validation_nll", *self._read(batch))

    def _read(self, batch: tuple[Tensor, Tensor, bool]) -> tuple[Tensor, int]:
        """The summed loss of a window and the number of its targets, in fp32; moves the state on and cuts its past."""
        inputs, targets, fresh = batch
        network = self.network if self.training else self.evaluated
        logits, state = network(inputs, None if fresh else self.state)
        self.state = detached(state)
        total = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return total, int((targets != IGNORED).sum())

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        # the perplexity of a model that went astray is still a number, also in float32
        return (
            {"validation_perplexity": math.exp(min(means["validation_nll"], 88.0))} if "validation_nll" in means else {}
        )


def detached(state: State) -> State:
    return state.detach() if isinstance(state, torch.Tensor) else tuple(part.detach() for part in state)

"""How a language model is trained: truncated backpropagation through time, the state carried from window to window.

One that learns without gradients is given the whole text at once.
"""

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.language.batches import IGNORED, whole_text
from cvnlp.language.models.recurrent import State
from cvnlp.learning import Learner
from cvnlp.training import BaseTask


class Task(BaseTask):
    state: State = None

    def __init__(self, network: nn.Module, options: dict[str, Any]) -> None:
        if isinstance(network, Learner):
            _check_learner(network, options)
        super().__init__(network, options)

    def train_batches(self, half: Any, folder: Path, *, seed: int, epoch: int) -> Any:
        if isinstance(self.network, Learner):
            return whole_text(folder)
        return super().train_batches(half, folder, seed=seed, epoch=epoch)

    def training_step(self, batch: tuple[Tensor, Tensor, bool]) -> Tensor | None:
        """The mean loss of a window; none for a network that learns without."""
        if isinstance(self.network, Learner):
            inputs, targets, _ = batch
            self.network.learn(inputs, targets, epoch=self.current_epoch)
            self.examples += targets.numel()
            return None
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


def _check_learner(network: Learner, options: dict[str, Any]) -> None:
    if options["epochs"] > network.least_epochs:
        raise ValueError(
            f"train.epochs: {options['epochs']} is too many: this network learns all of the text at once; "
            f"take {network.least_epochs}, or 0"
        )
    if options["epoch_tokens"]:
        raise ValueError(
            f"train.epoch_tokens: {options['epoch_tokens']} is a part of the text, and this network learns all of it "
            "at once; leave it out"
        )

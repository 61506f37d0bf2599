"""How a language model is trained: truncated backpropagation through time, the state carried from window to window.

One that learns without gradients is given the whole text at once.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.language.batches import IGNORED, count_tokens, whole_text
from cvnlp.language.models.recurrent import Recurrent, State, detached
from cvnlp.params.runs import LanguageTrain
from cvnlp.training.base_task import BaseTask
from cvnlp.training.gradient_free import Learner


class Task(BaseTask):
    options: LanguageTrain
    state: State = None

    def __init__(self, network: nn.Module, options: LanguageTrain) -> None:
        if isinstance(network, Learner):
            _check_learner(network, options)
        super().__init__(network, options)

    def on_fit_start(self) -> None:
        """Before the first step of all, which an interrupted training has behind it, as its scores tell."""
        network = self.network
        if isinstance(network, Recurrent) and network.output_bias == "frequencies" and not self.scores:
            tokens = prepared.load_array(self.trainer.datamodule.folder, "train")  # type: ignore[attr-defined]
            network.begin_at(torch.from_numpy(count_tokens(tokens, network.vocabulary_size)))

    def train_batches(self, half: Any, folder: Path, *, seed: int, epoch: int) -> Any:
        if isinstance(self.network, Learner):
            return whole_text(folder)
        return super().train_batches(half, folder, seed=seed, epoch=epoch)

    def share(self, batch: tuple[Tensor, Tensor, bool]) -> float:
        """The loss is a mean over the window: so every token of one of any length moves the weights alike."""
        variable = self.options.window_lengths == "variable"
        return batch[0].shape[1] / self.options.window if variable else 1.0

    def training_step(self, batch: tuple[Tensor, Tensor, bool]) -> Tensor | None:
        """The mean loss of a window; none for a network that learns without."""
        if isinstance(self.network, Learner):
            inputs, targets, _ = batch
            self.network.learn(inputs, targets, epoch=self.current_epoch)
            self.examples += targets.numel()
            return None
        inputs, targets, fresh = batch
        nats, penalty, state = self._train_nats(inputs, targets, None if fresh else self.state)
        self.state = detached(state)
        return self._mean("train_loss", nats, targets) + penalty

    def validation_step(self, batch: tuple[Tensor, Tensor, bool]) -> None:
        inputs, targets, fresh = batch
        network: Any = self.evaluated
        nats, state = network.nats(inputs, targets, None if fresh else self.state)
        self.state = detached(state)
        self._mean("validation_nll", nats, targets)

    def _train_nats(self, inputs: Tensor, targets: Tensor, state: State) -> tuple[Tensor, Tensor | float, State]:
        """Nats of every target, what is added to their mean, and the state."""
        network: Any = self.network
        shares = self.options.activation_regularisation, self.options.temporal_regularisation
        if not any(shares):
            nats, state = network.nats(inputs, targets, state)
            return nats, 0.0, state
        raw, state = network.read(network.embed(inputs), state)
        outputs = network.drop_output(raw)
        return network.output.nats(outputs, targets), regularisation(raw, outputs, *shares), state

    def _mean(self, name: str, nats: Tensor, targets: Tensor) -> Tensor:
        """Of all that is not IGNORED, in fp32; the epoch's mean counts it."""
        total, count = nats.sum(), int((targets != IGNORED).sum())
        self.tally(name, total, count)
        return total / count

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        # the perplexity of a model that went astray is still a number, also in float32
        return (
            {"validation_perplexity": math.exp(min(means["validation_nll"], 88.0))} if "validation_nll" in means else {}
        )


def regularisation(raw: Tensor, outputs: Tensor, activation: float, temporal: float) -> Tensor:
    """`activation` * mean square of `outputs` + `temporal` * mean square of the steps of `raw` in time (B, T, size).

    What the last layer says after its dropout and before it (Merity et al. 2017, 2018). A window of one has no steps.
    """
    steps = raw.float().diff(dim=1) if raw.shape[1] > 1 else torch.zeros_like(raw)
    return activation * outputs.float().square().mean() + temporal * steps.square().mean()


def _check_learner(network: Learner, options: LanguageTrain) -> None:
    if options.epochs > network.least_epochs:
        raise ValueError(
            f"train.epochs: {options.epochs} is too many: this network learns all of the text at once; "
            f"take {network.least_epochs}, or 0"
        )
    if options.epoch_tokens:
        raise ValueError(
            f"train.epoch_tokens: {options.epoch_tokens} is a part of the text, and this network learns all of it "
            "at once; leave it out"
        )

"""Training of a language model: truncated backpropagation through time, the state carried from window to window."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.language.batches import (
    IGNORED,
    TokenBatch,
    Windows,
    count_tokens,
    train_batches,
    validation_batches,
    whole_text,
)
from cvnlp.language.models.recurrent import Recurrent, State, detach_state
from cvnlp.params.runs import LanguageTrain
from cvnlp.training.base_task import BaseTask
from cvnlp.training.gradient_free import GradientFree, GradientFreeNetwork, check_options

MAX_NLL = 88.0  # nats per token; the exponential of more is infinite in float32


class LanguageModelTask(BaseTask):
    """Validation, with or without gradients; `state`: that of the network after the last window."""

    options: LanguageTrain

    def validation_batches(self) -> Windows:
        return self._on_device(validation_batches(self.folder, self.options, slices=self.validation_slices))

    def _on_device(self, windows: Windows) -> Windows:
        """Windows that are cut on the GPU, if there is one with room for the text."""
        return windows.to(self.device) if self.data.has_room(self.device, windows.nbytes) else windows

    def inputs(self, batch: TokenBatch) -> Tensor:
        return batch.inputs

    def validation_step(self, batch: TokenBatch) -> None:
        network: Any = self.evaluated
        nats, state = network.nats(batch.inputs, batch.targets, None if batch.reset_state else self.state)
        self.state = detach_state(state)
        self.tally_mean("validation_nll", nats, batch.targets)

    def tally_mean(self, name: str, nats: Tensor, targets: Tensor) -> Tensor:
        """The mean over all targets but IGNORED ones, in fp32; it counts for the epoch's mean of `name`."""
        total, count = nats.sum(), (targets != IGNORED).sum()
        self.tally(name, total, count)
        return total / count.clamp(min=1)  # a slice may consist of padding

    def derived_metrics(self, means: dict[str, float]) -> dict[str, float]:
        return {"validation_perplexity": math.exp(min(means["validation_nll"], MAX_NLL))}


class Task(LanguageModelTask):
    """Training by gradients."""

    def on_fit_start(self) -> None:
        """Set the output bias to the log frequencies of the training tokens, unless a training is resumed."""
        network = self.network
        if isinstance(network, Recurrent) and network.output_bias == "frequencies" and not self.scores:
            tokens = prepared.load_array(self.folder, "train")
            network.set_output_bias(torch.from_numpy(count_tokens(tokens, network.vocabulary_size)))

    def train_batches(self, epoch: int) -> Windows:
        return self._on_device(
            train_batches(self.folder, self.options, seed=self.seed, epoch=epoch, slices=self.slices)
        )

    def can_record_steps(self) -> bool:
        """Not with windows of many lengths, nor with an output layer whose computation depends on the targets."""
        network: Any = self.network
        rows = self.options.batch_size * self.options.window
        fixed = self.options.window_lengths == "fixed" and isinstance(network, Recurrent)
        return super().can_record_steps() and fixed and network.output.is_whole_on_gpu(rows)

    def lr_scale(self, batch: TokenBatch) -> float:
        """The loss is a mean over the window; this gives each token the same weight, whatever its window's length."""
        variable = self.options.window_lengths == "variable"
        return batch.inputs.shape[1] / self.options.window if variable else 1.0

    def loss(self, batch: TokenBatch) -> Tensor:
        """The mean loss of a window, with regularisation."""
        nats, penalty, state = self._train_nats(batch, None if batch.reset_state else self.state)
        self.state = detach_state(state)
        mean = self.tally_mean("train_loss", nats, batch.targets) + penalty
        return self.batch_mean.loss(mean, (batch.targets != IGNORED).sum(), self.slices)

    def _train_nats(self, batch: TokenBatch, state: State) -> tuple[Tensor, Tensor | float, State]:
        """Nats of every target (B, T), the regularisation of their mean, and the new state."""
        network: Any = self.network
        weights = self.options.activation_regularisation, self.options.temporal_regularisation
        if not any(weights):
            nats, state = network.nats(batch.inputs, batch.targets, state)
            return nats, 0.0, state
        raw, state = network.forward_layers(network.embed(batch.inputs), state)
        outputs = network.drop_output(raw)
        return network.output.nats(outputs, batch.targets), regularisation(raw, outputs, *weights), state


class GradientFreeTask(GradientFree, LanguageModelTask):
    """Training by the network's own rule on the whole text at once."""

    def __init__(self, network: Any, options: LanguageTrain, *, folder: Path, seed: int) -> None:
        _check_whole_text(network, options)
        check_options(network, options)
        super().__init__(network, options, folder=folder, seed=seed)

    def train_batches(self, epoch: int) -> Windows:
        return whole_text(self.folder)

    def training_step(self, batch: TokenBatch) -> None:
        self.network.learn(batch.inputs, batch.targets, epoch=self.current_epoch)
        self.examples += batch.targets.numel()


def regularisation(raw: Tensor, outputs: Tensor, activation: float, temporal: float) -> Tensor:
    """Activation and temporal activation regularisation (Merity et al. 2017, 2018).

    `activation` * mean square of `outputs` + `temporal` * mean square of the differences in time of `raw`, both
    (B, T, size): the outputs of the last layer after and before dropout. A window of one token has no differences.
    """
    steps = raw.float().diff(dim=1) if raw.shape[1] > 1 else torch.zeros_like(raw)
    return activation * outputs.float().square().mean() + temporal * steps.square().mean()


def _check_whole_text(network: GradientFreeNetwork, options: LanguageTrain) -> None:
    if options.epochs > network.min_epochs:
        raise ValueError(
            f"train.epochs: {options.epochs} is too many: this network learns the whole text at once; "
            f"take {network.min_epochs}, or 0"
        )
    if options.epoch_tokens:
        raise ValueError(
            f"train.epoch_tokens: {options.epoch_tokens} is a part of the text, and this network learns the whole text "
            "at once; leave it out"
        )

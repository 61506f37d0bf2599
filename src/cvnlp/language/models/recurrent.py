"""Recurrent language models: tokens (B, T) and a state -> the distribution of each next token, and the new state.

embedding -> dropout -> layer -> dropout -> layer -> ... -> dropout -> output layer
|------ embed|---------- forward_layers -------------|
|------------------------------ hidden ----------------------|- logits or nats
"""

import itertools
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cvnlp.language.models import bfloat16_cells
from cvnlp.language.models.dropout import Dropout, DroppedEmbedding, drop_weights
from cvnlp.language.models.output import make_output
from cvnlp.params.language_networks import LstmOptions, RecurrentOptions, RnnOptions
from cvnlp.params.network_config import TextFormat

BFLOAT16_CUDNN = 91300  # the first version with recurrent layers in bfloat16

State = Any  # a tuple with the state of every layer: (1, B, hidden), for the LSTM a pair of them; None is zeros


def detach_state(state: State) -> State:
    """The state cut from the graph: gradients do not propagate further back."""
    return state.detach() if isinstance(state, Tensor) else tuple(detach_state(part) for part in state)


def gpu_dtype() -> torch.dtype:
    """In which a GPU computes recurrent layers in mixed precision: older versions of cuDNN have no bfloat16."""
    return torch.bfloat16 if (torch.backends.cudnn.version() or 0) >= BFLOAT16_CUDNN else torch.float32


def in_dtype(
    dtype: torch.dtype, layer: Any, changed: dict[str, Tensor], values: Tensor, state: State
) -> tuple[Tensor, State]:
    """Outputs and state of a layer, some of whose weights are `changed`, computed in `dtype`.

    On a GPU, torch's own mixed precision computes recurrent layers in float16, also where bfloat16 is wanted; without a
    scaled loss, most of their gradients would vanish.
    """
    weights = {name: weight.to(dtype) for name, weight in (dict(layer.named_parameters()) | changed).items()}
    return torch.func.functional_call(layer, weights, (values.to(dtype), _to_dtype(state, dtype)))


def _to_dtype(state: State, dtype: torch.dtype) -> State:
    if isinstance(state, Tensor):
        return state.to(dtype)
    return state if state is None else tuple(_to_dtype(part, dtype) for part in state)


class Recurrent(nn.Module):
    """Embedding, recurrent layers, an output layer, as `RecurrentOptions` describes them.

    Initial weights are those of torch, except where `start_layer` or an option sets them.
    """

    cell: ClassVar[type[nn.RNN | nn.GRU | nn.LSTM]]
    output: Any

    def __init__(self, text: TextFormat, options: RecurrentOptions) -> None:
        super().__init__()
        self.vocabulary_size, self.embedding_scale = text.vocabulary_size, options.embedding_scale
        self.dropout, self.output_bias = options.dropout_rates, options.output_bias
        self.embedding = DroppedEmbedding(text.vocabulary_size, options.embedding_size, rate=self.dropout.embedding)
        self.drop_input, self.drop_between, self.drop_output = (
            Dropout(rate, locked=options.locked)
            for rate in (self.dropout.input, self.dropout.between, self.dropout.output)
        )
        self.recurrent = nn.ModuleList(self.make_layer(*pair) for pair in itertools.pairwise(options.sizes))
        self.output = make_output(options.sizes[-1], text.vocabulary_size, options)
        self._start(options)
        if options.tied:
            self.output.weight = self.embedding.weight

    def make_layer(self, size: int, next_size: int) -> nn.RNNBase:
        return self.cell(size, next_size, batch_first=True)

    def start_layer(self, layer: Any) -> None:
        """Set the initial weights of a layer that are specific to the kind of cell."""

    def _start(self, options: RecurrentOptions) -> None:
        if options.initial_range:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -options.initial_range, options.initial_range)
        if options.embedding_range:
            for parameter in [self.embedding.weight, *self.output.parameters()]:
                # a vector is a bias
                bound = options.embedding_range if parameter.ndim > 1 else 0.0
                nn.init.uniform_(parameter, -bound, bound)
        for layer in self.recurrent:
            self.start_layer(layer)
        if options.output_bias != "drawn":
            self.output.set_bias(torch.zeros(self.vocabulary_size))

    @torch.no_grad()
    def set_output_bias(self, counts: Tensor) -> None:
        """Set the output bias to the log frequencies of tokens with these counts (V,); 0 counts as 1."""
        often = counts.clamp(min=1).double()
        self.output.set_bias((often / often.sum()).log())

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens) * self.embedding_scale

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Logits or log-probabilities (B, T, vocabulary) of the token that follows each."""
        return self.forward_embedded(self.embed(tokens), state)

    def forward_embedded(self, embedded: Tensor, state: State = None) -> tuple[Tensor, State]:
        """As `forward`, from embedded tokens (B, T, embedding_size), by which attacks differentiate."""
        raw, state = self.forward_layers(embedded, state)
        return self.logits(self.drop_output(raw)), state

    def nats(self, tokens: Tensor, targets: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Negative log-likelihood of every target (B, T) in float32; 0 for IGNORED targets."""
        outputs, state = self.hidden(tokens, state)
        return self.output.nats(outputs, targets), state

    def hidden(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Outputs of the last layer (B, T, size), after dropout."""
        raw, state = self.forward_layers(self.embed(tokens), state)
        return self.drop_output(raw), state

    def logits(self, outputs: Tensor) -> Tensor:
        """As `forward`, from the outputs of `hidden`."""
        return self.output(outputs)

    def forward_layers(self, embedded: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Outputs of the last layer (B, T, size), before dropout, for embedded tokens."""
        values, after = self.drop_input(embedded), []
        for number, layer in enumerate(self.recurrent):
            values = self.drop_between(values) if number else values
            values, own = self._forward_layer(layer, values, None if state is None else state[number])
            after.append(own)
        return values, tuple(after)

    def _forward_layer(self, layer: Any, values: Tensor, state: Any) -> tuple[Tensor, Any]:
        dropped = drop_weights(layer, self.dropout.weight) if self.training and self.dropout.weight else {}
        if values.is_cuda and torch.is_autocast_enabled("cuda"):
            with torch.autocast("cuda", enabled=False):
                return in_dtype(gpu_dtype(), layer, dropped, values, state)
        if bfloat16_cells.is_supported(layer, values):
            return bfloat16_cells.run(layer, dropped, values, state)
        return torch.func.functional_call(layer, dropped, (values, state)) if dropped else layer(values, state)


class Rnn(Recurrent):
    """The Elman RNN (Elman 1990)."""

    cell = nn.RNN

    def __init__(self, text: TextFormat, options: RnnOptions) -> None:
        self.activation = options.activation  # first: the layers are made with it
        super().__init__(text, options)

    def make_layer(self, size: int, next_size: int) -> nn.RNN:
        return nn.RNN(size, next_size, batch_first=True, nonlinearity=self.activation)

    def start_layer(self, layer: Any) -> None:
        """Recurrent matrices that preserve the norm of the state, so that it neither vanishes nor explodes at first.

        Orthogonal matrices; with relu, which zeroes negative values, the identity (Le et al. 2015).
        """
        start = nn.init.orthogonal_ if self.activation == "tanh" else nn.init.eye_
        start(layer.weight_hh_l0)


class Gru(Recurrent):
    """Gated recurrent units (Cho et al. 2014); the reset gate acts after the recurrent matrix."""

    cell = nn.GRU


class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gates Gers et al. 2000)."""

    cell = nn.LSTM

    def __init__(self, text: TextFormat, options: LstmOptions) -> None:
        self.forget_bias = options.forget_bias  # first: the layers start with it
        super().__init__(text, options)

    def start_layer(self, layer: Any) -> None:
        """Set the bias of the forget gates: torch adds two, the input's is set and the recurrent one is 0."""
        if self.forget_bias is None:
            return
        gate = slice(layer.hidden_size, 2 * layer.hidden_size)  # torch's order: input, forget, cell, output
        with torch.no_grad():
            layer.bias_ih_l0[gate] = self.forget_bias
            layer.bias_hh_l0[gate] = 0.0

    def _forward_layer(self, layer: Any, values: Tensor, state: Any) -> tuple[Tensor, Any]:
        """In float32 where autocast wants bfloat16 but the processor has no such LSTM kernel: torch would fail."""
        supported = values.is_cuda or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        if supported or not torch.is_autocast_enabled(values.device.type):
            return super()._forward_layer(layer, values, state)
        with torch.autocast(values.device.type, enabled=False):
            return super()._forward_layer(layer, values.float(), state)

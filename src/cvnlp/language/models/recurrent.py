"""Recurrent language models: tokens (B, T) and a state -> what follows each token, and the new state.

    embedding -> dropout -> layer -> dropout -> layer -> ... -> dropout -> output layer
    |------ embed|--------------- read ------------------|
    |------------------------------ hidden ----------------------|- logits or nats

Arguments before the `*` come from the data set, those after it from params.yaml.
"""

import itertools
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from cvnlp.language.models.dropout import Dropout, DroppedEmbedding, read_dropped, shares
from cvnlp.language.models.output import make_output
from cvnlp.params.option_types import Dropouts, PositiveFloat, PositiveInt, Several

State = Any  # a tuple with that of every layer: (1, B, hidden), for the LSTM a pair of them; None is zeros


def detached(state: State) -> State:
    """The state without its past: what is learned from it reaches back no further."""
    return state.detach() if isinstance(state, Tensor) else tuple(detached(part) for part in state)


class Recurrent(nn.Module):
    """Embedding, recurrent layers, an output layer.

    Sizes: `last_size` is that of the last layer, if it is not to be `hidden_size` as the others. `tied`: the output
    layer uses the embedding's matrix (Press and Wolf 2017; Inan et al. 2017), which then needs a last layer as large as
    the embedding. `embedding_scale` multiplies what is looked up: tied weights of a size that suits the output are too
    small an input.

    First weights are torch's, but for what `start_layer` sets, or uniform in +- `initial_range` (Zaremba et al. 2014).
    `embedding_range` says it for embedding and output alone, whose bias is then 0 (Merity et al. 2018).
    `output_bias`: where the bias of the output layer starts, `drawn` like that, at `zero`, or at the log of the tokens'
    `frequencies` in the training text, which need not be learned then; it is training that sets it, before its first
    step. Over 10,000 words that spares SGD's first tenths of a pass (docs/language.md).

    `dropout`: a share of what enters the first layer, what goes from one to the next, and what leaves the last; or a
    table (options.DropoutPlaces). `locked`: at these places the same features throughout a window.

    `output`: how nats are computed, `plain` with all logits at once, `chunked` with few at a time, `grouped` and
    `adaptive` of the words' own groups alone, which begin at `cutoffs` (null: a tenth and two fifths of the
    vocabulary); the first two are one model, the last two models of their own, of which grouped can be tied.
    `output_precision`: that of chunked's products in training.
    """

    cell: ClassVar[type[nn.RNN | nn.GRU | nn.LSTM]]
    output: Any

    def __init__(
        self,
        vocabulary_size: int,
        *,
        embedding_size: PositiveInt = 64,
        hidden_size: PositiveInt = 256,
        last_size: PositiveInt | None = None,
        layers: PositiveInt = 1,
        dropout: Dropouts = 0.0,
        locked: bool = False,
        tied: bool = False,
        initial_range: PositiveFloat | None = None,
        embedding_range: PositiveFloat | None = None,
        embedding_scale: PositiveFloat = 1.0,
        output_bias: Literal["drawn", "zero", "frequencies"] = "drawn",
        output: Literal["plain", "chunked", "grouped", "adaptive"] = "plain",
        output_precision: Literal["32", "bf16"] = "32",
        cutoffs: Several | None = None,
    ) -> None:
        super().__init__()
        sizes = [embedding_size, *[hidden_size] * (layers - 1), last_size or hidden_size]
        self.vocabulary_size, self.embedding_scale, self.dropout = vocabulary_size, embedding_scale, shares(dropout)
        self.embedding = DroppedEmbedding(vocabulary_size, embedding_size, share=self.dropout["embedding"])
        self.drop_input, self.drop_between, self.drop_output = (
            Dropout(self.dropout[place], locked=locked) for place in ("input", "between", "output")
        )
        self.recurrent = nn.ModuleList(self.make_layer(*pair) for pair in itertools.pairwise(sizes))
        self.output = make_output(
            sizes[-1], vocabulary_size, kind=output, reduced=output_precision == "bf16", cutoffs=cutoffs
        )
        self._start(initial_range, embedding_range)
        self.output_bias = output_bias
        if output_bias != "drawn":
            self._start_bias(output)
        if tied:
            self._tie(sizes[-1], output)

    def make_layer(self, size: int, next_size: int) -> nn.RNNBase:
        return self.cell(size, next_size, batch_first=True)

    def start_layer(self, layer: Any) -> None:
        """Initial weights of a layer that the kind of cell asks for."""

    def _start(self, initial_range: float | None, embedding_range: float | None) -> None:
        if initial_range:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -initial_range, initial_range)
        if embedding_range:
            for parameter in [self.embedding.weight, *self.output.parameters()]:
                # a vector is a bias
                reach = embedding_range if parameter.ndim > 1 else 0.0
                nn.init.uniform_(parameter, -reach, reach)
        for layer in self.recurrent:
            self.start_layer(layer)

    def _start_bias(self, output: str) -> None:
        if output == "adaptive":
            raise ValueError(
                f"model.output_bias: {self.output_bias} needs a bias of every token, and adaptive has none; "
                "take drawn, or output plain, chunked or grouped"
            )
        self.output.begin_at(torch.zeros(self.vocabulary_size))

    @torch.no_grad()
    def begin_at(self, counts: Tensor) -> None:
        """Without an input it predicts the frequencies of tokens counted so often (V,); none counts as once."""
        often = counts.clamp(min=1).double()
        self.output.begin_at((often / often.sum()).log())

    def _tie(self, size: int, output: str) -> None:
        if output == "adaptive":
            raise ValueError(
                "model.tied: adaptive has no matrix of the embedding's shape; take output plain, chunked or grouped"
            )
        if size != self.embedding.embedding_dim:
            raise ValueError(
                f"model.tied needs embedding_size ({self.embedding.embedding_dim}) = hidden_size ({size}), "
                "or a last_size that is"
            )
        self.output.weight = self.embedding.weight

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens) * self.embedding_scale

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Logits or log-probabilities (B, T, vocabulary) of the token that follows each."""
        return self.forward_embedded(self.embed(tokens), state)

    def forward_embedded(self, embedded: Tensor, state: State = None) -> tuple[Tensor, State]:
        """As forward, from (B, T, embedding_size): where an attack takes the gradient."""
        raw, state = self.read(embedded, state)
        return self.logits(self.drop_output(raw)), state

    def nats(self, tokens: Tensor, targets: Tensor, state: State = None) -> tuple[Tensor, State]:
        """The negative log-likelihood of every target (B, T) in fp32, 0 of those that are IGNORED."""
        outputs, state = self.hidden(tokens, state)
        return self.output.nats(outputs, targets), state

    def hidden(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """What the last layer says (B, T, size), after its dropout."""
        raw, state = self.read(self.embed(tokens), state)
        return self.drop_output(raw), state

    def logits(self, outputs: Tensor) -> Tensor:
        """As forward, from what `hidden` gives."""
        return self.output(outputs)

    def read(self, embedded: Tensor, state: State = None) -> tuple[Tensor, State]:
        """What the last layer says (B, T, size), before its dropout."""
        values, after = self.drop_input(embedded), []
        for number, layer in enumerate(self.recurrent):
            values = self.drop_between(values) if number else values
            values, own = self._read_layer(layer, values, None if state is None else state[number])
            after.append(own)
        return values, tuple(after)

    def _read_layer(self, layer: Any, values: Tensor, state: Any) -> tuple[Tensor, Any]:
        if self.training and self.dropout["weight"]:
            return read_dropped(layer, values, state, self.dropout["weight"])
        return layer(values, state)


class Rnn(Recurrent):
    """Elman's network (Elman 1990)."""

    cell = nn.RNN

    def __init__(self, vocabulary_size: int, *, activation: Literal["tanh", "relu"] = "tanh", **options: Any) -> None:
        self.activation = activation
        super().__init__(vocabulary_size, **options)

    def make_layer(self, size: int, next_size: int) -> nn.RNN:
        return nn.RNN(size, next_size, batch_first=True, nonlinearity=self.activation)

    def start_layer(self, layer: Any) -> None:
        """Recurrent matrices that keep the state: at the start it neither fades nor explodes.

        Orthogonal ones; with relu, which would cut half of what is turned, the identity (Le et al. 2015).
        """
        start = nn.init.orthogonal_ if self.activation == "tanh" else nn.init.eye_
        start(layer.weight_hh_l0)


class Gru(Recurrent):
    """Gated recurrent units (Cho et al. 2014); the reset gate acts on what the recurrent matrix makes of the state."""

    cell = nn.GRU


class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gates Gers et al. 2000).

    `forget_bias`: where the forget gates start; 1 makes the start remember (Jozefowicz et al. 2015). Null leaves them
    as torch does, near 0, which learned characters faster here: 1.51 against 1.56 validation nats after 4 million.
    """

    cell = nn.LSTM

    def __init__(self, vocabulary_size: int, *, forget_bias: float | None = None, **options: Any) -> None:
        self.forget_bias = forget_bias
        super().__init__(vocabulary_size, **options)

    def start_layer(self, layer: Any) -> None:
        """The forget gates' bias; torch adds two, of which the input's carries it and the recurrent one is 0."""
        if self.forget_bias is None:
            return
        gate = slice(layer.hidden_size, 2 * layer.hidden_size)  # torch's order: input, forget, cell, output
        with torch.no_grad():
            layer.bias_ih_l0[gate] = self.forget_bias
            layer.bias_hh_l0[gate] = 0.0

    def _read_layer(self, layer: Any, values: Tensor, state: Any) -> tuple[Tensor, Any]:
        """In float32 where bfloat16 is asked for and the processor's library has no LSTM of it: torch would fail."""
        able = values.is_cuda or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        if able or not torch.is_autocast_enabled(values.device.type):
            return super()._read_layer(layer, values, state)
        with torch.autocast(values.device.type, enabled=False):
            return super()._read_layer(layer, values.float(), state)

"""The options of every language model: the block `model` of a run, one class per network, told apart by `name`."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from cvnlp.params.base import Strict
from cvnlp.params.option_types import Fraction, Sizes


class NgramOptions(Strict):
    """The n-gram model with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999).

    `order`: longest n-gram that is counted, in tokens. `across_lines: false` lets no context span a line end.
    """

    name: Literal["ngram"] = "ngram"
    order: PositiveInt = 5
    across_lines: bool = True


class DropoutRates(Strict):
    """The dropout rate at each place of a recurrent network.

    `input`: embedded tokens. `between`: from one layer to the next. `output`: outputs of the last layer. `embedding`:
    whole words (Gal and Ghahramani 2016). `weight`: recurrent matrices (DropConnect, Merity et al. 2018).
    """

    input: Fraction = 0.0
    between: Fraction = 0.0
    output: Fraction = 0.0
    embedding: Fraction = 0.0
    weight: Fraction = 0.0


def _rate_or_table(given: Any, _: ValidatorFunctionWrapHandler) -> float | DropoutRates:
    if isinstance(given, dict | DropoutRates):
        return DropoutRates.model_validate(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1:
        return float(given)
    raise ValueError(f"must be a rate from 0 to below 1, or a table of {', '.join(DropoutRates.model_fields)}")


Dropout = Annotated[float | DropoutRates, WrapValidator(_rate_or_table)]


class RecurrentOptions(Strict):
    """What all recurrent networks have: an embedding, recurrent layers, an output layer.

    `last_size`: size of the last layer, if it differs from the `hidden_size` of the others. `tied`: the output layer
    uses the embedding's matrix (Press and Wolf 2017; Inan et al. 2017), which needs a last layer of the embedding's
    size. `embedding_scale` multiplies the embedded tokens: tied weights that suit the output are too small as input.

    Initial weights are those of torch, or uniform in +- `initial_range` (Zaremba et al. 2014). `embedding_range` sets
    the range of embedding and output alone, whose bias is then 0 (Merity et al. 2018). `output_bias`: initial bias of
    the output layer, `drawn` like its weights, `zero`, or the log of the tokens' `frequencies` in the training text,
    which training sets before its first step.

    `dropout`: one rate for input, between and output, or a table (`DropoutRates`). `locked`: the same features are
    dropped throughout a window.

    `output`: `plain` computes all logits at once, `chunked` a part at a time; both are the same model. `grouped`
    (class-based softmax) and `adaptive` (Grave et al. 2017) compute only the group of each target; groups begin at the
    tokens `cutoffs` (null: a tenth and two fifths of the vocabulary). `output_precision`: of chunked's matrix products
    in training.
    """

    embedding_size: PositiveInt = 64
    hidden_size: PositiveInt = 256
    last_size: PositiveInt | None = None
    layers: PositiveInt = 1
    dropout: Dropout = 0.0
    locked: bool = False
    tied: bool = False
    initial_range: PositiveFloat | None = None
    embedding_range: PositiveFloat | None = None
    embedding_scale: PositiveFloat = 1.0
    output_bias: Literal["drawn", "zero", "frequencies"] = "drawn"
    output: Literal["plain", "chunked", "grouped", "adaptive"] = "plain"
    output_precision: Literal["32", "bf16"] = "32"
    cutoffs: Sizes | None = None

    @property
    def sizes(self) -> list[int]:
        """The size of the embedding, then that of each layer."""
        return [self.embedding_size, *[self.hidden_size] * (self.layers - 1), self.last_size or self.hidden_size]

    @property
    def dropout_rates(self) -> DropoutRates:
        """One rate written out as a table (Zaremba et al. 2014)."""
        if isinstance(self.dropout, DropoutRates):
            return self.dropout
        return DropoutRates(input=self.dropout, between=self.dropout, output=self.dropout)

    @model_validator(mode="after")
    def _is_consistent(self) -> "RecurrentOptions":
        for contradiction in self._contradictions():
            raise ValueError(contradiction)
        return self

    def _contradictions(self) -> Iterator[str]:
        last = self.sizes[-1]
        if self.output_precision == "bf16" and self.output != "chunked":
            yield f"output_precision: bf16 belongs to output: chunked, not to {self.output}"
        if self.cutoffs and self.output not in ("grouped", "adaptive"):
            yield f"cutoffs: {self.cutoffs} belongs to output: grouped or adaptive, not to {self.output}"
        if self.cutoffs and any(low >= high for low, high in pairwise(self.cutoffs)):
            yield f"cutoffs: {self.cutoffs} must be in ascending order"
        if self.output == "adaptive" and self.tied:
            yield "tied: adaptive has no matrix of the embedding's shape; take output plain, chunked or grouped"
        if self.output == "adaptive" and self.output_bias != "drawn":
            yield (
                f"output_bias: {self.output_bias} needs a bias of every token, and adaptive has none; "
                "take drawn, or output plain, chunked or grouped"
            )
        if self.tied and last != self.embedding_size:
            yield f"tied: needs embedding_size ({self.embedding_size}) = hidden_size ({last}), or such a last_size"


class RnnOptions(RecurrentOptions):
    """The Elman RNN (Elman 1990); `activation`: of its layers."""

    name: Literal["rnn"] = "rnn"
    activation: Literal["tanh", "relu"] = "tanh"


class GruOptions(RecurrentOptions):
    """Gated recurrent units (Cho et al. 2014)."""

    name: Literal["gru"] = "gru"


class LstmOptions(RecurrentOptions):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gates Gers et al. 2000).

    `forget_bias`: initial bias of the forget gates; at 1 the network starts by remembering (Jozefowicz et al. 2015).
    Null is torch's, near 0, which learned characters faster here: 1.51 against 1.56 validation nats after 4 million.
    """

    name: Literal["lstm"] = "lstm"
    forget_bias: float | None = None


LanguageNetwork = Annotated[NgramOptions | RnnOptions | GruOptions | LstmOptions, Field(discriminator="name")]

"""A recurrent language model for export: tokens and a state in, log-probabilities and the new state out."""

import copy
import json
from typing import Any

import torch
from torch import Tensor, nn

from cvnlp.export.portable import Description, Field, Portable
from cvnlp.language.models import Recurrent
from cvnlp.language.serving.code_examples import text_code
from cvnlp.language.serving.exported_layers import OPERATORS, OnnxLayer, TorchLayer, kind_of
from cvnlp.language.serving.language_model import LanguageModel
from cvnlp.params.processing import TextProcessing

EXAMPLE_LENGTH = 5
TOKENS = {
    "characters": "Every character is a token.",
    "words": "The text is in Unicode's NFC. Tokens are words and single marks, by Unicode's word boundaries (UAX 29); "
    "a hyphen between two words belongs to them. `<eos>` follows every line that is not empty.",
    "whitespace": "Tokens are what is between spaces; `<eos>` follows every line.",
}


class TokensToLogProbabilities(nn.Module):
    """tokens (N, T) and the parts of the state (N, size) -> log-probabilities (N, T, vocabulary) and the new parts.

    In float32, without dropout. `layer`: the class that replaces the recurrent layers.
    """

    def __init__(self, network: Recurrent, layer: type[nn.Module]) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().float().eval()
        self.parts = 2 if kind_of(_layers(self.network)[0]) == "lstm" else 1  # tensors in the state of a layer
        self.network.recurrent = nn.ModuleList(layer(one) for one in self.network.recurrent)

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        logits, after = self.network(tokens, self._by_layer([part.unsqueeze(0) for part in state]))
        flat = [part for own in after for part in (own if self.parts > 1 else (own,))]
        return logits.log_softmax(-1), *(part.squeeze(0) for part in flat)

    def _by_layer(self, parts: list[Tensor]) -> tuple[Any, ...]:
        if self.parts == 1:
            return tuple(parts)
        return tuple(zip(parts[::2], parts[1::2], strict=True))


def make_portable(model: LanguageModel) -> Portable:
    """The network as modules on the CPU; ValueError if it is no recurrent one."""
    network, size = model.network, len(model.vocabulary)
    if not isinstance(network, Recurrent):
        raise ValueError(
            f"the network {model.config.options.name!r} cannot be exported as onnx or pt2: it searches tables of "
            "counts, for which these formats have no operation; safetensors works"
        )
    state = _state(network)

    def example(count: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(count)
        tokens = torch.randint(size, (count, EXAMPLE_LENGTH + count), generator=generator)
        return tokens, *(torch.rand(count, int(one.shape[1]), generator=generator) for one in state)

    return Portable(
        modules={
            "onnx": TokensToLogProbabilities(network, OnnxLayer),
            "pt2": TokensToLogProbabilities(network, TorchLayer),
        },
        inputs=[Field("tokens", "int64", ("N", "T"), "ids of T tokens of N texts"), *state],
        outputs=[
            Field("log_probabilities", "float32", ("N", "T", size), "of the token that follows each, in nats"),
            *(Field(f"new_{one.name}", one.dtype, one.shape, "the same after the last token") for one in state),
        ],
        example=example,
        metadata={name: _as_text(value) for name, value in _tokeniser(model.processing).items()},
        operators=OPERATORS,
    )


def make_description(model: LanguageModel) -> Description:
    """The model for the README of its folder."""
    sizes = [int(one.shape[1]) for one in _state(model.network)] if isinstance(model.network, Recurrent) else []
    return Description(
        title="language model",
        processing=_processing(model.processing),
        labels=("vocabulary.json", _tokeniser(model.processing)),
        names=[],
        code=text_code(model.processing, sizes),
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _state(network: Recurrent) -> list[Field]:
    """The parts of the state, layer by layer."""
    names = ("hidden", "cell") if isinstance(_layers(network)[0], nn.LSTM) else ("hidden",)
    return [
        Field(f"{name}_{number}", "float32", ("N", layer.hidden_size), f"of layer {number}: zeros at the start")
        for number, layer in enumerate(_layers(network), start=1)
        for name in names
    ]


def _layers(network: Recurrent) -> list[nn.RNNBase]:
    return [layer for layer in network.recurrent if isinstance(layer, nn.RNNBase)]


def _tokeniser(processing: TextProcessing) -> dict[str, Any]:
    return {
        "tokens": list(processing.vocabulary),
        "unknown": 0,
        "start": processing.start,
        "tokenisation": processing.tokens,
        "lowercase": processing.lowercase,
    }


def _processing(processing: TextProcessing) -> list[str]:
    case = " The text is converted to lower case first." if processing.lowercase else ""
    return [
        f"{TOKENS[processing.tokens]}{case} The id of a token is its place in `tokens` of vocabulary.json, from 0; any "
        "other token has the id 0.",
        f"The first token of a text is predicted from the id {processing.start} (`start`), which ends a line, and a "
        "state of zeros. Then the new state and the next tokens are the inputs: one token at a time, or many.",
    ]

"""A language model with its vocabulary: it continues texts and scores them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from torch import nn

from cvnlp.language import metrics
from cvnlp.language.data.tokens import TOKENISERS
from cvnlp.language.inference.detokenise import stream_text
from cvnlp.language.inference.generation import Sampling, stream
from cvnlp.language.inference.prompt import read_prompt
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models import Network
from cvnlp.params.network_config import LanguageConfig

TOKENS, TEMPERATURE, SEED = 400, 0.8, 1  # of generated text, by default


@dataclass(frozen=True)
class TextScore:
    """The negative log-likelihood of a text, and perplexity, which is the exponential of its mean.

    `tokens` of the text; `unknown` of them are not in the vocabulary.
    """

    tokens: int
    unknown: int
    nats_per_token: float
    perplexity: float

    @property
    def unknown_share(self) -> float:
        return self.unknown / self.tokens


class LanguageModel:
    """A trained language model; `cvnlp.load` makes one.

    `vocabulary`: the token of each id. `network`: the torch module.
    """

    def __init__(self, network: nn.Module, config: LanguageConfig) -> None:
        """ValueError for a model whose config.json has no vocabulary."""
        if config.processing is None:
            raise ValueError("config.json of the model has no vocabulary: train it again with `dvc repro`")
        if not isinstance(network, Network):
            raise TypeError(f"{type(network).__name__} is no language model")
        self.network, self.config, self.processing = network, config, config.processing
        self.vocabulary = config.processing.vocabulary

    def generate(
        self,
        prompt: str = "",
        *,
        tokens: int = TOKENS,
        temperature: float = TEMPERATURE,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = SEED,
        unknown: bool = False,
    ) -> str:
        """Continue `prompt` by a number of `tokens`; returns the continuation. Equal seeds give equal texts.

        `temperature` divides the logits: below 1 more conservative, 0 always takes the most likely token. `top_k`,
        `top_p`: draw from the most likely tokens only. `unknown`: allow the unknown token. ValueError out of range.
        """
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, unknown=unknown)
        return "".join(self.stream(prompt, tokens=tokens, sampling=sampling, seed=seed))

    def stream(
        self, prompt: str, *, tokens: int, sampling: Sampling, seed: int, with_prompt: bool = False
    ) -> Iterator[str]:
        """The continuation token by token, as it is drawn; `with_prompt`: after the prompt as the model receives it."""
        ids, _ = self.read(prompt)
        start = self.processing.start
        drawn = stream(self.network, start, tokens=tokens, sampling=sampling, seed=seed, prompt=ids)
        pieces = stream_text(chain(ids, map(int, drawn)), self.vocabulary, self.processing)
        yield from pieces if with_prompt else islice(pieces, len(ids), None)

    def read(self, prompt: str) -> tuple[list[int], list[str]]:
        """The token ids of a prompt, and its tokens that are not in the vocabulary."""
        return read_prompt(prompt, self.vocabulary, self.processing)

    def request(self, tokens: int = 10) -> int:
        """One short request, for measuring; returns its number of tokens."""
        self.generate(tokens=tokens)
        return tokens

    def perplexity(self, text: str) -> TextScore:
        """Score a text, read from its beginning, with the weights that training has left; ValueError without tokens."""
        return self.score(*self.token_nats(text))

    def token_nats(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The ids (N,) of the tokens of a text, 0 for unknown ones, and the nats (N,) of each.

        A text of words is given an end of line if it has none, as the training text was.
        """
        ids = self._ids(text)
        if not len(ids):
            raise ValueError("the text has no tokens")
        return ids, text_nats(self.network, ids, self.processing.start)

    def score(self, ids: np.ndarray, nats: np.ndarray) -> TextScore:
        """The score of tokens with these ids (N,) and nats (N,)."""
        unknown = int((ids == 0).sum())
        found = metrics.summary(nats, unknown=unknown, token_kind=self.processing.token_kind)
        return TextScore(len(ids), unknown, found["nats_per_token"], found["perplexity"])

    def _ids(self, text: str) -> np.ndarray:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        encode = TOKENISERS[self.processing.tokens].encoder(self.vocabulary)
        batches = list(encode(text.lower() if self.processing.lowercase else text))
        ids = np.concatenate(batches).astype(np.int64) if batches else np.empty(0, np.int64)
        return np.where(ids == len(self.vocabulary), 0, ids)  # a literal <unk>

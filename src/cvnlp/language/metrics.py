"""Metrics of a language model: pure functions of the negative log-likelihood of each token, in nats."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MAX_NLL = 700.0  # nats per token of a diverged model; the exponential of more is infinite
DIVERGED_NLL = 30.0  # nats per token, as of guessing among 10^13 tokens
BOOTSTRAP_SAMPLES, BOOTSTRAP_SEED = 2000, 1
MIN_TOKENS = 30  # of a mean loss by position or frequency
# Methods by which a model adapts to the text that it is scored on; their scores have names of their own.
ADAPTED = {"dynamic": "dynamic evaluation", "cache": "continuous cache"}
# name in a scores file -> title in a table, and whether more is better
HEADLINE = {
    "nats_per_token": ("nats per token", False),
    "perplexity": ("perplexity", False),
    **{f"perplexity_{method}": (f"perplexity, {title}", False) for method, title in ADAPTED.items()},
    "bits_per_character": ("bits per character", False),
    "unknown_share": ("unknown tokens", False),
}
METRICS = tuple(name for name in HEADLINE if name != "unknown_share")  # of DVC and MLflow
# scores that are compared with published ones: name -> title there, and the factor to their unit
COMPARED = {
    name: (HEADLINE[name][0], 1.0)
    for name in (*(name for name in HEADLINE if name.startswith("perplexity")), "nats_per_token", "bits_per_character")
}
EXAMPLES = "tokens"  # unit of the examples of a training


def summary(nats: np.ndarray, *, unknown: int, token_kind: str) -> dict[str, float]:
    """Scores of a text from the nats of every token (N,), of which `unknown` are the unknown token.

    Perplexity is exp of the mean over all tokens. Bits per character exist only where tokens are characters, because a
    word outside the vocabulary has no probability of its own.
    """
    mean = float(nats.mean(dtype=np.float64))
    scores = {
        "nats_per_token": mean,
        "perplexity": math.exp(min(mean, MAX_NLL)),
        "tokens": len(nats),
        "unknown_share": unknown / len(nats),
    }
    return scores | ({"bits_per_character": mean / math.log(2)} if token_kind == "characters" else {})


def perplexity_interval(nats: np.ndarray) -> tuple[float, float]:
    """95 % interval of the perplexity of texts of equal length, from the mean nats of each one (N,).

    By a bootstrap over the texts, with percentiles: tokens of one text are not independent.
    """
    nats = np.asarray(nats, dtype=np.float64)
    drawn = np.random.default_rng(BOOTSTRAP_SEED).integers(len(nats), size=(BOOTSTRAP_SAMPLES, len(nats)))
    low, high = np.quantile(nats[drawn].mean(1), [0.025, 0.975])
    return math.exp(min(low, MAX_NLL)), math.exp(min(high, MAX_NLL))


def diverged(scores: Mapping[str, float]) -> bool:
    """Whether the loss is far above that of guessing, which is the logarithm of the size of the vocabulary."""
    return scores.get("nats_per_token", 0.0) > DIVERGED_NLL


def adapted(method: str, nats: np.ndarray, *, token_kind: str) -> dict[str, float]:
    """Scores of a model that adapts to the text (a method of ADAPTED), under names that differ from the static ones."""
    scores = summary(nats, unknown=0, token_kind=token_kind)
    own = ("nats_per_token", "perplexity", "bits_per_character")
    return {f"{name}_{method}": scores[name] for name in own if name in scores}


def losses_by_position(nats: np.ndarray, positions: np.ndarray) -> "pd.DataFrame":
    """Mean nats of the tokens (N,) at each position of their lines, from 1, and the number of these tokens."""
    return _means("position", positions, nats)


def losses_by_frequency(nats: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> "pd.DataFrame":
    """Mean nats of the tokens (N,) that occur 1 to 9, 10 to 99, ... times in the training text, by `counts` (V,).

    `frequency` is the lower end of the decade, 0 for the unknown token 0; `share` is its part of the total loss.
    """
    decades = 10 ** np.floor(np.log10(counts.clip(min=1))).astype(int)
    decades[0] = 0
    table = _means("frequency", decades[targets], nats)
    return table.assign(share=table["nats"] * table["tokens"] / nats.sum(dtype=float))


def _means(name: str, groups: np.ndarray, nats: np.ndarray) -> "pd.DataFrame":
    import pandas as pd  # only here: the evaluation needs no tables, and starts faster without

    table = pd.DataFrame({name: groups, "nats": nats.astype(float)}).groupby(name)["nats"].agg(["mean", "size"])
    table = table.rename(columns={"mean": "nats", "size": "tokens"}).reset_index()
    return table[table["tokens"] >= MIN_TOKENS]

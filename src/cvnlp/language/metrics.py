"""Scores of a language model: pure functions of the nats that each token cost."""

import math

import numpy as np

# methods by which a model adapts to the text that it is scored on: their scores stand apart, under names of their own
ADAPTED = {"dynamic": "dynamic evaluation", "cache": "continuous cache"}
# name in a scores file -> what it is called in a table, and whether more is better
HEADLINE = {
    "nats_per_token": ("nats per token", False),
    "perplexity": ("perplexity", False),
    **{f"perplexity_{method}": (f"perplexity, {title}", False) for method, title in ADAPTED.items()},
    "bits_per_character": ("bits per character", False),
    "unknown_share": ("unknown tokens", False),
}
# the scores set beside published ones: name -> what it is called there, and by how much it is multiplied
COMPARED = {
    name: (HEADLINE[name][0], 1.0)
    for name in (*(name for name in HEADLINE if name.startswith("perplexity")), "nats_per_token", "bits_per_character")
}
EXAMPLES = "tokens"  # what a training counts


def summary(nats: np.ndarray, *, unknown: int, token_kind: str) -> dict[str, float]:
    """`nats`: the negative log-likelihood of every token of the text, each once.

    Perplexity is exp of the mean over all tokens; bits per character are stated only where the tokens are characters,
    for a word outside the vocabulary has no probability of its own.
    """
    mean = float(nats.mean(dtype=np.float64))
    scores = {
        "nats_per_token": mean,
        "perplexity": math.exp(min(mean, 700.0)),  # of a model that went astray: still a number
        "tokens": len(nats),
        "unknown_share": unknown / len(nats),
    }
    return scores | ({"bits_per_character": mean / math.log(2)} if token_kind == "characters" else {})


def adapted(method: str, nats: np.ndarray, *, token_kind: str) -> dict[str, float]:
    """What the tokens cost a model that adapts to them as it reads, under names that tell it from the static scores."""
    found = summary(nats, unknown=0, token_kind=token_kind)
    own = ("nats_per_token", "perplexity", "bits_per_character")
    return {f"{name}_{method}": found[name] for name in own if name in found}

"""Scores of a language model: pure functions of the nats that each token cost."""

import math

import numpy as np

# name in a scores file -> what it is called in a table, and whether more is better
HEADLINE = {
    "nats_per_token": ("nats per token", False),
    "perplexity": ("perplexity", False),
    "bits_per_character": ("bits per character", False),
    "unknown_share": ("unknown tokens", False),
}
# the scores set beside published ones: name -> what it is called there, and by how much it is multiplied
COMPARED = {"perplexity": ("perplexity", 1.0), "bits_per_character": ("bits per character", 1.0)}


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

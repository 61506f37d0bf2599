"""Comparison of language models: nats per token, and a paired bootstrap over blocks of the same test text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvnlp.data import prepared
from cvnlp.significance import statistics
from cvnlp.significance.difference import Difference, Estimate

SCORE, HIGHER_IS_BETTER = "nats_per_token", False


@dataclass(frozen=True)
class ScoredTokens:
    """`nats` (N,): the negative log-likelihood of each token of the test text, in its order."""

    nats: np.ndarray

    def estimate(self) -> Estimate:
        found = statistics.block_bootstrap(self.nats)
        return Estimate(found.value, found.low, found.high)

    def difference(self, other: "ScoredTokens") -> Difference:
        """Of the means; ValueError if the texts have different lengths."""
        if len(self.nats) != len(other.nats):
            raise ValueError(f"texts of {len(self.nats):,} and {len(other.nats):,} tokens: not the same test set")
        found = statistics.block_bootstrap(self.nats.astype(np.float64) - other.nats)
        method = f"paired bootstrap of blocks of {statistics.default_length(len(self.nats))} tokens"
        return Difference(found.value, found.low, found.high, found.p_value, method)


def read_examples(details: Path, scores: Mapping[str, float]) -> ScoredTokens | None:
    """The nats of the test tokens; None if the evaluation has not saved them."""
    return ScoredTokens(np.array(prepared.load_array(details, "nats"))) if (details / "nats.npy").is_file() else None


def example_count(scores: Mapping[str, float]) -> int:
    return int(scores["tokens"])


def estimate(scores: Mapping[str, float]) -> Estimate:
    """The nats per token, without an interval: it needs the nats of single tokens."""
    return Estimate(scores[SCORE])


def unpaired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """Of the nats per token, without an interval."""
    return Difference(first[SCORE] - second[SCORE], None, None, None, "no test: the nats of single tokens are missing")

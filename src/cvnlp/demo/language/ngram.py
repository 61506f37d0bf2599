"""The tables of an n-gram model for the demo page, without loss, in about three bytes per n-gram.

Contexts are sorted by the context without their oldest token, then by this token: those that extend the same context
are neighbours, in the order of the contexts that they extend. So it is enough to state how many extend each, and their
oldest tokens. The n-grams of a context are neighbours, too.
"""

import numpy as np
import torch

from cvnlp.demo.page_data import PageData
from cvnlp.language.models import Ngram

LARGE = 255  # counts from here on are in a table of their own


def convert_ngram(network: Ngram) -> PageData:
    """Extensions and followers of every context: how many, which tokens, how often.

    `extensions` (contexts,) and `oldest` (contexts,); `followers` (contexts,), `tokens` and `counts` (n-grams,);
    `large_places` and `large_counts`: counts of LARGE or more.
    """
    size, number = network.vocabulary_size, len(network.contexts)
    keys, ngrams = network.contexts.cpu()[1:], network.ngrams.cpu()
    counts = network.counts.detach().cpu().numpy()
    places = np.flatnonzero(counts >= LARGE)
    arrays = {
        "extensions": _whole(torch.bincount(keys // size, minlength=number), size),
        "oldest": _whole(torch.cat([torch.zeros(1, dtype=torch.int64), keys % size]), size),
        "followers": _whole(torch.bincount(ngrams // size, minlength=number), size),
        "tokens": _whole(ngrams % size, size),
        "counts": counts.clip(max=LARGE).astype(np.uint8),
        "large_places": places.astype(np.uint32),
        "large_counts": counts[places].astype(np.uint32),
        "discounts": network.discounts.detach().float().cpu().numpy(),
    }
    facts = {"order": network.order, "across_lines": network.across_lines, "line_end": int(network.line_end)}
    return PageData({"model": "ngram", "vocabulary_size": size} | facts, arrays)


def _whole(numbers: torch.Tensor, largest: int) -> np.ndarray:
    """As the smallest unsigned integers that hold numbers up to the `largest`."""
    return numbers.numpy().astype(np.min_scalar_type(largest))

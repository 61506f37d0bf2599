"""Tables of texts in, tables of continuations and perplexities out: how MLflow calls a language model."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cvnlp.language.inference.generation import Sampling
from cvnlp.language.serving.language_model import LanguageModel
from cvnlp.language.serving.limits import MAX_SEED, MAX_TEMPERATURE, MAX_TEXT, MAX_TOKENS, MAX_TOP_K

LIMITS = {
    "tokens": (0, MAX_TOKENS),
    "seed": (0, MAX_SEED),
    "temperature": (0, MAX_TEMPERATURE),
    "top_k": (0, MAX_TOP_K),
}


def answer_table(model: LanguageModel, rows: Sequence[Any], params: Mapping[str, Any]) -> pd.DataFrame:
    """For each text a row with its `continuation` and its `perplexity`, which is None for an empty text.

    `params`: tokens (0: no continuation), temperature, seed, top_k (0: all tokens) and top_p (1: all tokens).
    ValueError for rows that are no text, and for values out of range.
    """
    for name, (low, high) in LIMITS.items():
        if not low <= params[name] <= high:
            raise ValueError(f"{name}: {params[name]} must be from {low} to {high}")
    for position, row in enumerate(rows):
        _check_text(position, row)
    sampling = Sampling(temperature=params["temperature"], top_k=params["top_k"] or None, top_p=params["top_p"])
    tokens, seed = params["tokens"], params["seed"]
    texts = ["".join(model.stream(row, tokens=tokens, sampling=sampling, seed=seed)) for row in rows]
    scores = pd.Series([model.perplexity(row).perplexity if row else None for row in rows], dtype=object)
    return pd.DataFrame({"continuation": pd.Series(texts, dtype=object), "perplexity": scores})


def _check_text(position: int, row: Any) -> None:
    if not isinstance(row, str):
        raise ValueError(f"prompt {position} is no text")
    if len(row) > MAX_TEXT:
        raise ValueError(f"prompt {position} has {len(row):,} characters, more than {MAX_TEXT:,}")

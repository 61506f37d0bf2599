"""Features of a text that a unit of a network may follow, such as the position in the line: numbers per token."""

from collections.abc import Sequence

import numpy as np

PUNCTUATION = tuple(".,;:?!")
QUOTES = ('"', "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}")
MIN_SHARE = 0.01  # of the tokens with a feature of 0, and of those with another value; rarer features are left out


def positions(tokens: np.ndarray, line_end: int) -> np.ndarray:
    """Tokens since the last line end (N,): 0 at a line end, 1 at the first token after it."""
    return steps_since(tokens == line_end)


def steps_since(event: np.ndarray) -> np.ndarray:
    """Steps since the last event (N,), 0 at an event; an event is assumed right before the first place."""
    places = np.arange(1, len(event) + 1)
    return places - np.maximum.accumulate(np.where(event, places, 0))


def text_features(
    tokens: np.ndarray, vocabulary: Sequence[str], *, line_end: int, token_kind: str
) -> dict[str, np.ndarray]:
    """Name -> value after each token (N,), float; only features that vary often enough in this text."""
    kinds = {
        "punctuation": [token in PUNCTUATION for token in vocabulary],
        "quote": [token in QUOTES for token in vocabulary],
        "letter": [token.isalnum() for token in vocabulary],
        "capital": [token.isupper() for token in vocabulary],
    }
    is_a = {name: np.array(of_token)[tokens] for name, of_token in kinds.items()}
    found = {
        "position in the line": positions(tokens, line_end),
        "tokens since punctuation": steps_since(is_a["punctuation"]),
        "in quotation marks": _in_quotes(is_a["quote"], tokens == line_end),
    }
    if token_kind == "characters":
        capital = is_a["capital"]
        found["position in the word"] = steps_since(~is_a["letter"])
        found["in an uppercase word"] = capital & np.concatenate(([False], capital[:-1]))
    return {name: values.astype(float) for name, values in found.items() if _varies(values)}


def _in_quotes(quote: np.ndarray, line_end: np.ndarray) -> np.ndarray:
    """Whether the line so far has an odd number of quotation marks: an unpaired one has no effect on other lines."""
    quotes = quote.cumsum()
    before_line = np.maximum.accumulate(np.where(line_end, quotes, 0))
    return (quotes - before_line) % 2 == 1


def _varies(values: np.ndarray) -> bool:
    return bool(MIN_SHARE <= np.count_nonzero(values) / max(len(values), 1) <= 1 - MIN_SHARE)

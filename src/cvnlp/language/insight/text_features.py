"""What can be counted in a text while it is read: arrays over its tokens, which a unit of a network may follow."""

from collections.abc import Sequence

import numpy as np

MARKS = tuple(".,;:?!")
QUOTES = ('"', "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}")
LEAST_SHARE = 0.01  # of the tokens at which a feature is not 0, and of those at which it is: else it is left out


def positions(tokens: np.ndarray, line_end: int) -> np.ndarray:
    """Tokens since the line end, which is 0: (N,), the first token after it is 1. The text begins after one."""
    return since(tokens == line_end)


def since(event: np.ndarray) -> np.ndarray:
    """Steps since the last event (N,), 0 where it happens; as if one had happened just before the first."""
    places = np.arange(1, len(event) + 1)
    return places - np.maximum.accumulate(np.where(event, places, 0))


def features(tokens: np.ndarray, vocabulary: Sequence[str], *, line_end: int, token_kind: str) -> dict[str, np.ndarray]:
    """Name -> what has been counted once each token (N,) was read, as far as the text has enough of it."""
    kinds = {
        "mark": [token in MARKS for token in vocabulary],
        "quote": [token in QUOTES for token in vocabulary],
        "letter": [token.isalnum() for token in vocabulary],
        "capital": [token.isupper() for token in vocabulary],
    }
    is_a = {name: np.array(of_token)[tokens] for name, of_token in kinds.items()}
    found = {
        "position in the line": positions(tokens, line_end),
        "tokens since a mark": since(is_a["mark"]),
        "in quotation marks": _in_quotes(is_a["quote"], tokens == line_end),
    }
    if token_kind == "characters":
        capital = is_a["capital"]
        found["position in the word"] = since(~is_a["letter"])
        found["in a word of capitals"] = capital & np.concatenate(([False], capital[:-1]))
    return {name: values.astype(float) for name, values in found.items() if _stands_often(values)}


def _in_quotes(quote: np.ndarray, line_end: np.ndarray) -> np.ndarray:
    """Whether an odd number of quotation marks stood in the line so far: a lost one does no harm beyond it."""
    quotes = quote.cumsum()
    before_line = np.maximum.accumulate(np.where(line_end, quotes, 0))
    return (quotes - before_line) % 2 == 1


def _stands_often(values: np.ndarray) -> bool:
    return bool(LEAST_SHARE <= np.count_nonzero(values) / max(len(values), 1) <= 1 - LEAST_SHARE)

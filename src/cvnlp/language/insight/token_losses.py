"""Where a text is hard to predict: what its tokens cost by their place in the line and by how frequent they are."""

import numpy as np
import pandas as pd

LEAST_TOKENS = 30  # of which a mean is shown


def by_position(nats: np.ndarray, positions: np.ndarray) -> pd.DataFrame:
    """The mean cost of the tokens (N,) at each place of their lines, the first at 1, and how many they are."""
    return _means("position", positions, nats)


def by_frequency(nats: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """The mean cost of the tokens (N,) that stand 1 to 9, 10 to 99, ... times in the training text, by `counts` (V,).

    `times` is the least of a decade, and 0 for the unknown token, number 0. `share` is theirs of the whole cost.
    """
    decades = 10 ** np.floor(np.log10(counts.clip(min=1))).astype(int)
    decades[0] = 0
    table = _means("times", decades[targets], nats)
    return table.assign(share=table["nats"] * table["tokens"] / nats.sum(dtype=float))


def _means(name: str, groups: np.ndarray, nats: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({name: groups, "nats": nats.astype(float)}).groupby(name)["nats"].agg(["mean", "size"])
    table = table.rename(columns={"mean": "nats", "size": "tokens"}).reset_index()
    return table[table["tokens"] >= LEAST_TOKENS]

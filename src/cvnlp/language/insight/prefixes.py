"""What another past does to the text after it, and for how long: the extra cost behind a prefix that was changed."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp.language.models import Network

LONGEST = 16  # tokens before what is measured, and at most a quarter of a text
PREFIXES = (1, 4, 16)  # the last so many of them become those of another text
TEXTS = 256  # at most
AT_ONCE = 32  # texts: the logits of all their tokens may be in memory together


def changed_prefixes(network: Network, inputs: Tensor, targets: Tensor) -> pd.DataFrame:
    """Extra nats per token when so many tokens (`prefix`) before it were another text's: a row for each distance.

    `inputs` (N, T) are texts, `targets` (N,) the token after each. Distances 1, 2, 3 to 4, 5 to 8, ... behind the
    prefix are taken together, `distance` is the last of them. `error` is the standard error of the mean over texts.
    """
    every = max(1, -(-len(inputs) // TEXTS))
    inputs, targets = inputs[::every], torch.cat([inputs[:, 1:], targets[:, None]], dim=1)[::every]
    end = max(1, min(LONGEST, inputs.shape[1] // 4))
    clean = _nats(network, inputs, targets)[:, end - 1 :]
    rows = []
    for prefix in (prefix for prefix in PREFIXES if prefix <= end):
        changed = inputs.clone()
        changed[:, end - prefix : end] = inputs.roll(1, 0)[:, end - prefix : end]
        differs = (changed != inputs).any(1).cpu().numpy()
        extra = (_nats(network, changed, targets)[:, end - 1 :] - clean)[differs]
        rows += [{"prefix": prefix, **row} for row in _by_distance(extra)]
    return pd.DataFrame(rows, columns=["prefix", "distance", "extra", "error"])


@torch.inference_mode()
def _nats(network: Network, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """Of every target (N, T), each text read from a fresh state."""
    pieces = zip(inputs.split(AT_ONCE), targets.split(AT_ONCE), strict=True)
    return torch.cat([network.nats(*piece)[0] for piece in pieces]).double().cpu().numpy()


def _by_distance(extra: np.ndarray) -> list[dict[str, float]]:
    """Means of (N, D) over all texts and the distances of a range, which end at powers of two."""
    rows, first = [], 0
    for last in (2**power for power in range(20)):
        if first < extra.shape[1] and len(extra) > 1:
            texts = extra[:, first:last].mean(1)
            error = float(texts.std(ddof=1) / np.sqrt(len(texts)))
            rows.append({"distance": min(last, extra.shape[1]), "extra": float(texts.mean()), "error": error})
        first = last
    return rows

"""A language model as others call it: token ids in, the probabilities of the next token out."""

from typing import Any

import numpy as np
import torch

from cvnlp.language.models import Recurrent


def example(config: dict[str, Any]) -> np.ndarray:
    """Two texts of three tokens, int64 (N, T), as `predict` takes them."""
    return np.zeros((2, 3), dtype=np.int64)


@torch.inference_mode()
def predict(network: Recurrent, config: dict[str, Any], tokens: np.ndarray) -> np.ndarray:
    """Probabilities float32 (N, vocabulary) of the token that follows each text (N, T)."""
    size = config["data"]["vocabulary_size"]
    if tokens.min() < 0 or tokens.max() >= size:
        raise ValueError(f"token ids must be from 0 to {size - 1}, not {tokens.min()} to {tokens.max()}")
    logits, _ = network(torch.from_numpy(tokens.astype(np.int64)))
    return logits[:, -1].float().softmax(1).numpy()

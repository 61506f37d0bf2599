"""A language model as others call it: token ids in, the probabilities of the next token out."""

import numpy as np
import torch
from torch import nn

from cvnlp.params.network_config import LanguageConfig


@torch.inference_mode()
def predict(network: nn.Module, config: LanguageConfig, inputs: np.ndarray) -> np.ndarray:
    """Probabilities float32 (N, vocabulary) of the token that follows each text, int (N, T)."""
    size = config.data.vocabulary_size
    if inputs.ndim != 2 or not inputs.size:
        raise ValueError(
            f"texts of shape {inputs.shape}, but the network reads token ids of shape (N, T), T at least 1"
        )
    if inputs.min() < 0 or inputs.max() >= size:
        raise ValueError(f"token ids must be from 0 to {size - 1}, not {inputs.min()} to {inputs.max()}")
    logits, _ = network(torch.from_numpy(inputs.astype(np.int64)))
    return logits[:, -1].float().softmax(1).numpy()

"""Predict the next token of texts: token ids in, probabilities out."""

import numpy as np
import torch
from torch import Tensor

from cvnlp.language.inference.scoring import WINDOW
from cvnlp.language.models import Network, Recurrent
from cvnlp.language.models.recurrent import State
from cvnlp.params.network_config import LanguageConfig


@torch.inference_mode()
def predict(network: Network, config: LanguageConfig, inputs: np.ndarray) -> np.ndarray:
    """Probabilities float32 (N, vocabulary) of the token that follows each text, int (N, T).

    ValueError for other shapes and types, and for ids outside the vocabulary.
    """
    size = config.data.vocabulary_size
    if inputs.ndim != 2 or not inputs.size:
        raise ValueError(f"texts of shape {inputs.shape}, but token ids have the shape (N, T), with N and T at least 1")
    if not np.issubdtype(inputs.dtype, np.integer):
        raise ValueError(f"token ids of type {inputs.dtype}: they must be integers")
    if inputs.min() < 0 or inputs.max() >= size:
        raise ValueError(f"token ids must be from 0 to {size - 1}, not {inputs.min()} to {inputs.max()}")
    tokens = torch.from_numpy(inputs.astype(np.int64)).to(next(network.parameters()).device)
    logits, _ = next_token_logits(network, tokens)
    return logits.float().softmax(1).cpu().numpy()


@torch.inference_mode()
def next_token_logits(
    network: Network, tokens: Tensor, state: State = None, *, window: int = WINDOW
) -> tuple[Tensor, State]:
    """Logits (N, vocabulary) of the token that follows each text (N, T), and the state after it.

    `state` is the one after the tokens before; the logits do not depend on `window`, the tokens read at a time.
    """
    for part in tokens.split(window, dim=1):
        if isinstance(network, Recurrent):  # the output layer needs only the last position
            outputs, state = network.hidden(part, state)
            logits = network.logits(outputs[:, -1:])
        else:
            logits, state = network(part, state)
    return logits[:, -1], state

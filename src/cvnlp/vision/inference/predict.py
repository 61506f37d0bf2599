"""A classifier as others call it: pictures in, class probabilities out."""

import numpy as np
import torch
from torch import nn

from cvnlp.params.network_config import VisionConfig


@torch.inference_mode()
def predict(network: nn.Module, config: VisionConfig, inputs: np.ndarray) -> np.ndarray:
    """Class probabilities float32 (N, classes) of uint8 pictures (N, H, W, C)."""
    if inputs.shape[1:] != config.data.shape:
        raise ValueError(f"pictures of shape {inputs.shape[1:]}, but the network reads {config.data.shape}")
    images = torch.from_numpy(inputs.astype(np.float32)).permute(0, 3, 1, 2) / 255
    return network(images).float().softmax(1).numpy()

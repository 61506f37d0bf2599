"""Small complete models in folders, as the stage `train` leaves them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.params.language_networks import LstmOptions
from cvnlp.params.vision_networks import MlpOptions


def make_model(folder: Path, data: Path, options: Any = None) -> Path:
    """An untrained network for the prepared data, by default a small MLP or LSTM."""
    facts = prepared.read_facts(data)
    small = MlpOptions(hidden=[8]) if facts.domain == "vision" else LstmOptions(embedding_size=8, hidden_size=8)
    config = networks.describe(facts.domain, options or small, facts)
    config = config.model_copy(update={"processing": prepared.read_processing(data)})
    networks.save(folder, networks.build(config, seed=1), config)
    return folder


def save_pictures(folder: Path, images: np.ndarray) -> list[Path]:
    """PNG files of uint8 (N, H, W, C), grey or RGB, which have exactly these pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.png" for number in range(len(images))]
    for path, pixels in zip(paths, images, strict=True):
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
    return paths

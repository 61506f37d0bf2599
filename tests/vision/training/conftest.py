"""Small prepared data for the training of classifiers."""

from pathlib import Path

import numpy as np
import pytest

from cvnlp.data import prepared
from cvnlp.data.prepared import DuplicateCounts, VisionFacts
from cvnlp.params.processing import Decoding


@pytest.fixture
def unbalanced(tmp_path: Path) -> Path:
    """Three classes of identical images: 180, 20 and none in every split."""
    folder = tmp_path / "unbalanced"
    for split in prepared.SPLITS:
        prepared.save_array(folder, f"{split}_images", np.zeros((200, 4, 4, 1), dtype=np.uint8))
        prepared.save_array(folder, f"{split}_labels", np.repeat(np.array([0, 1], dtype=np.uint8), [180, 20]))
    counts = {"often": 180, "rare": 20, "never": 0}
    facts = VisionFacts(
        source="made",
        licence="none",
        citation="none",
        duplicates=DuplicateCounts(within={}, across={}, dropped={}),
        arrays=prepared.describe_arrays(folder, ["train_images", "train_labels"]),
        shape=[4, 4, 1],
        classes=list(counts),
        mean=[0.1],
        std=[0.2],
        counts=dict.fromkeys(prepared.SPLITS, counts),
        conflicting=0,
        decoding=Decoding(colour="grey"),
    )
    prepared.save_facts(folder, facts)
    return folder

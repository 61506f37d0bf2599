"""Image classifiers and test images for the demo page."""

from pathlib import Path

import numpy as np

from cvnlp.data.prepared import VisionFacts, load_array, read_facts
from cvnlp.demo.page_data import PageData
from cvnlp.demo.vision.network import convert_network
from cvnlp.params.network_config import VisionConfig
from cvnlp.vision.models import Classifier

__all__ = ["convert", "examples"]

EXAMPLES = 40  # test images on the page, equally many of each class


def convert(network: Classifier, config: VisionConfig) -> PageData:
    """The network as a list of operations with their weights; UnsupportedNetworkError if the page lacks one."""
    graph = convert_network(network)
    processing = config.processing
    description = {
        "kind": "classifier",
        "shape": [config.data.shape[2], *config.data.shape[:2]],
        "classes": processing.classes if processing else [str(number) for number in range(config.data.classes)],
        "decoding": processing.decoding.model_dump(mode="json") if processing else None,
        "nodes": graph.nodes,
    }
    return PageData(description, graph.arrays)


def examples(data: Path) -> PageData:
    """The first test images of every class, uint8 (N, H, W, C), class by class."""
    facts = read_facts(data, VisionFacts)
    labels = np.asarray(load_array(data, "test_labels")).astype(int)
    each = max(1, EXAMPLES // len(facts.classes))
    rows = [row for label in range(len(facts.classes)) for row in np.flatnonzero(labels == label)[:each]][:EXAMPLES]
    description = {"labels": [int(labels[row]) for row in rows], "rows": [int(row) for row in rows]}
    return PageData(description, {"images": np.asarray(load_array(data, "test_images")[np.sort(rows)])[_ranks(rows)]})


def _ranks(rows: list[int]) -> np.ndarray:
    """The place of each row in the sorted rows."""
    return np.argsort(np.argsort(rows))

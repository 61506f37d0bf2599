"""What reading a picture costs, counted."""

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from cvnlp.vision.models.classifier import Classifier


def multiply_adds(network: Classifier) -> int:
    """Of the convolutions and matrix products as they are computed, for one picture more in a batch.

    With them go nearly all multiplications of networks that have layers; `rules` has none of them. Zeros that a
    connection table leaves in the filters are multiplied like any other number, and count.
    """
    height, width, channels = network.shape
    weightless = copy.deepcopy(network).to("meta").eval()  # shapes alone: nothing is computed, and nothing is changed
    counts = []
    for pictures in (1, 2):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            weightless(torch.empty(pictures, channels, height, width, device="meta"))
        counts.append(counter.get_total_flops() // 2)  # an addition and a multiplication are two of them
    return counts[1] - counts[0]

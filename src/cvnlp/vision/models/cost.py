"""Multiply-adds of a classifier per image."""

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from cvnlp.vision.models.classifier import Classifier


def multiply_adds(network: Classifier) -> int:
    """The multiply-adds of convolutions and matrix products for one more image in a batch.

    Other operations are not counted: `rules` has 0. The zeros that LeNet-5's connection table leaves in the filters are
    multiplied, and count.
    """
    height, width, channels = network.shape
    weightless = copy.deepcopy(network).to("meta").eval()  # shapes only: nothing is computed
    counts = []
    for batch_size in (1, 2):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            weightless(torch.empty(batch_size, channels, height, width, device="meta"))
        counts.append(counter.get_total_flops() // 2)  # one multiply-add is two operations
    return counts[1] - counts[0]

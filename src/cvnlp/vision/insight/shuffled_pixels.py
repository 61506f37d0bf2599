"""Does a network use the arrangement of the pixels? It is trained on images as they are, and with shuffled pixels.

All shuffled images have their pixels in the same new order. A network that receives them as a vector cannot tell the
difference; one that assumes that neighbouring pixels belong together, such as a CNN, can.
"""

import copy
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from cvnlp import files
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import object_rows
from cvnlp.vision.insight.layers import load_images
from cvnlp.vision.models import Classifier

SEED = 1  # of the order of the pixels, of the batches, and of dropout
BATCH_SIZE = 64
LEARNING_RATE, WEIGHT_DECAY = 0.002, 0.01
TABLE = "shuffled.csv"


def analyse_shuffled(
    untrained: Classifier, data: Path, facts: VisionFacts, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Train `untrained` on both, without augmentation; writes the validation accuracies and the images' number.

    Nothing is done for 0 epochs, or for a network without weights that a gradient reaches.
    """
    if not options.shuffled_epochs or not any(weight.requires_grad for weight in untrained.parameters()):
        return {}
    height, width, _ = facts.shape
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(SEED))
    accuracies, images = {}, 0
    for name, pixels in {"original": torch.arange(height * width), "shuffled": order}.items():
        splits = [
            (_permuted(loaded, pixels), labels)
            for split in ("train", "validation")
            for loaded, labels in [load_images(data, split, object_rows(data, split, facts))]
        ]
        network = _trained(copy.deepcopy(untrained), *splits[0], epochs=options.shuffled_epochs)
        accuracies[name], images = _accuracy(network, *splits[1]), len(splits[1][1])
    table = pd.DataFrame({"pixels": list(accuracies), "accuracy": list(accuracies.values())})
    files.write_table(folder / TABLE, table.assign(images=images, epochs=options.shuffled_epochs))
    return {f"accuracy_{name}_pixels": accuracy for name, accuracy in accuracies.items()}


def _permuted(images: Tensor, order: Tensor) -> Tensor:
    """Images (N, C, H, W) with their pixels in another order."""
    return images.flatten(2)[..., order.to(images.device)].view_as(images)


def _trained(network: Classifier, images: Tensor, labels: Tensor, *, epochs: int) -> Classifier:
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(SEED)
        network.train()
        for _ in range(epochs):
            for rows in torch.randperm(len(labels), generator=generator).split(BATCH_SIZE):
                optimiser.zero_grad()
                rows = rows.to(images.device)
                functional.cross_entropy(network(images[rows]), labels[rows]).backward()
                optimiser.step()
    return network.eval()


@torch.inference_mode()
def _accuracy(network: Classifier, images: Tensor, labels: Tensor) -> float:
    predicted = torch.cat([network(batch).argmax(1) for batch in images.split(512)])
    return float((predicted == labels).float().mean())

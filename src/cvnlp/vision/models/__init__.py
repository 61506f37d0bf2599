"""The image classifiers, by their names in params.yaml."""

from collections.abc import Callable
from typing import Any

from cvnlp.data.prepared import VisionFacts
from cvnlp.params.network_config import ImageFormat
from cvnlp.vision.models.alexnet import AlexNet
from cvnlp.vision.models.classifier import Classifier
from cvnlp.vision.models.cnn import Cnn
from cvnlp.vision.models.cost import multiply_adds
from cvnlp.vision.models.lenet import Lenet5
from cvnlp.vision.models.mlp import Linear, Mlp
from cvnlp.vision.models.neocognitron import Neocognitron
from cvnlp.vision.models.resnet import ResNet
from cvnlp.vision.models.rules import Rules

__all__ = ["MODELS", "Classifier", "input_format", "multiply_adds"]

# each is called with the format of the data and the options of its own name (params/vision_networks.py)
MODELS: dict[str, Callable[[ImageFormat, Any], Classifier]] = {
    "rules": Rules,
    "linear": Linear,
    "mlp": Mlp,
    "cnn": Cnn,
    "lenet5": Lenet5,
    "alexnet": AlexNet,
    "resnet": ResNet,
    "neocognitron": Neocognitron,
}


def input_format(facts: VisionFacts) -> ImageFormat:
    """The properties of a data set on which a network depends."""
    height, width, channels = facts.shape
    return ImageFormat(
        shape=(height, width, channels), classes=len(facts.classes), mean=tuple(facts.mean), std=tuple(facts.std)
    )

"""The image classifiers, by the names that params.yaml gives them."""

from typing import Any

from cvnlp.vision.models.alexnet import AlexNet
from cvnlp.vision.models.classifier import Classifier
from cvnlp.vision.models.cnn import Cnn
from cvnlp.vision.models.cost import multiply_adds
from cvnlp.vision.models.lenet import Lenet5
from cvnlp.vision.models.mlp import Linear, Mlp
from cvnlp.vision.models.neocognitron import Neocognitron
from cvnlp.vision.models.resnet import ResNet
from cvnlp.vision.models.rules import Rules

__all__ = ["MODELS", "Classifier", "multiply_adds", "network_arguments"]

MODELS: dict[str, type[Classifier]] = {
    "rules": Rules,
    "linear": Linear,
    "mlp": Mlp,
    "cnn": Cnn,
    "lenet5": Lenet5,
    "alexnet": AlexNet,
    "resnet": ResNet,
    "neocognitron": Neocognitron,
}


def network_arguments(facts: dict[str, Any]) -> dict[str, Any]:
    """What a constructor takes from the data: the picture's shape, the number of classes, the scale."""
    return {
        "shape": facts["shape"],
        "classes": len(facts["classes"]),
        "mean": facts["mean"],
        "std": facts["std"],
    }

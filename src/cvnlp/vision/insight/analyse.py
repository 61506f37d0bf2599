"""What an image classifier has learned, as scores, tables and arrays."""

from pathlib import Path

from cvnlp.data.prepared import VisionFacts
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import evenly_spaced, object_rows
from cvnlp.vision.insight.attribution import analyse_attribution
from cvnlp.vision.insight.confusions import analyse_confusions
from cvnlp.vision.insight.convolution_demo import analyse_convolution
from cvnlp.vision.insight.invariance import analyse_invariance
from cvnlp.vision.insight.layer_analysis import analyse_first_layer, analyse_layers
from cvnlp.vision.insight.layers import load_images
from cvnlp.vision.insight.shuffled_pixels import analyse_shuffled
from cvnlp.vision.models import Classifier


def analyse(
    network: Classifier, untrained: Classifier, data: Path, facts: VisionFacts, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Return the scores of all analyses; write the tables and arrays behind them into `folder`.

    `untrained` is the same network with its initial weights, as a control. Uses validation images of objects, training
    images for what activates the filters, and for the scores of detection the test canvases.
    """
    folder.mkdir(parents=True, exist_ok=True)
    classes = facts.classes
    rows = object_rows(data, "validation", facts)
    images, labels = load_images(data, "validation", rows[evenly_spaced(len(rows), options.validation_images)])
    analyse_first_layer(network, untrained, facts.shape, options, folder)
    scores = analyse_layers(network, untrained, data, images, options, folder)
    scores |= analyse_convolution(network, data, images, labels, options, folder / "convolution")
    scores |= analyse_invariance(network, images, labels, classes, options, folder)
    scores |= analyse_shuffled(untrained, data, facts, options, folder)
    scores |= analyse_attribution(network, data, facts, options, folder)
    if facts.canvases:
        # imported here: torchvision's operators bring torch's compiler with them, seconds that no other run needs
        from cvnlp.vision.insight.canvas_detection import analyse_canvases

        scores |= analyse_canvases(network, data, classes, options, folder / "detection")
    return scores | analyse_confusions(network, data, facts, options, folder)

"""A picture of which pixels decided a prediction: attribution by integrated gradients."""

from pathlib import Path

import torch

from cvnlp.report import picture_grid, plots
from cvnlp.report.labels import short_label
from cvnlp.vision.batches import to_tensor
from cvnlp.vision.inference import predict_outputs
from cvnlp.vision.insight.attribution import MAX_COMPLETENESS_ERROR, integrated_gradients
from cvnlp.vision.serving.classifier import ImageClassifier, Prediction

STEPS = 64
SIZE = 2.4  # inches of each picture


def save_explanation(classifier: ImageClassifier, source: str, prediction: Prediction, folder: Path) -> Path:
    """Draw a picture file next to the contribution of its pixels to the predicted class; returns the path in `folder`.

    ValueError if the contributions do not sum to the logit: the network is no continuous function of the pixels.
    """
    pixels = classifier.decode(source)
    images = to_tensor(pixels[None]).to(classifier.device)
    added, gap = integrated_gradients(classifier.network, images, torch.tensor([prediction.index]), steps=STEPS)
    logits, black = (predict_outputs(classifier.network, [one])[0] for one in (images, torch.zeros_like(images)))
    rise = float((logits - black)[prediction.index])
    if not float(gap.abs()) <= MAX_COMPLETENESS_ERROR * abs(rise):
        raise ValueError(
            f"{source}: integrated gradients miss {abs(float(gap) / rise):.0%} of the logit of this network, which is "
            "no continuous function of the pixels"
        )
    path = folder / f"{_file_name(source)}.png"
    title = f"{short_label(prediction.label)} ({prediction.probability:.0%})"
    pictures = [[pixels, plots.signed_colours(added[0].sum(0).cpu().numpy())]]
    picture_grid.draw_pictures(
        pictures, [["as the network receives it", "raises (orange), lowers (blue)"]], path, title=title, size=SIZE
    )
    return path


def _file_name(source: str) -> str:
    """The path as one name, so that files of equal names in several folders do not replace each other."""
    return "_".join(part for part in Path(source).parts if part not in ("/", "..", "."))

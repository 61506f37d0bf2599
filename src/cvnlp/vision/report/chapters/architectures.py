"""Chapters on receptive fields, and on the networks that made history: neocognitron, LeNet, AlexNet."""

from collections.abc import Iterator

import pandas as pd

from cvnlp import files
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import Section
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import percent
from cvnlp.vision.report.chapters.convolution import CONVOLUTIONAL, LECUN

HUBEL = Paper("Hubel and Wiesel 1962", "https://doi.org/10.1113/jphysiol.1962.sp006837")
FUKUSHIMA = Paper("Fukushima 1980", "https://doi.org/10.1007/BF00344251")
LUO = Paper("Luo et al. 2016, effective receptive fields", "https://arxiv.org/abs/1701.04128")
KRIZHEVSKY = Paper("Krizhevsky et al. 2012", "https://doi.org/10.1145/3065386")


def receptive_fields(results: Results) -> Section:
    """The part of the image that a unit sees, in theory and by its gradient."""
    run = results.first(*CONVOLUTIONAL)
    sentences = list(_fields(run)) if run and (run.paths.insight / "layers.csv").is_file() else []
    old = results.first("neocognitron")
    if sentences:
        sentences.append(
            f"{old.name}, a neocognitron, classifies {percent(old.score)} of its test images without any gradient."
            if old
            else "The neocognitron, after Hubel and Wiesel's cells, is among the networks, not among the runs."
        )
    sources = Sources(
        ("vision/insight/receptive_fields.py", "vision/models/neocognitron.py"), run, [HUBEL, FUKUSHIMA, LUO]
    )
    elements = results.shown(run, "receptive_fields.png")
    return chapter("Receptive fields", "receptive-fields", sentences, elements, sources, results)


def _fields(run: RunResults) -> Iterator[str]:
    layers = pd.read_csv(run.paths.insight / "layers.csv", dtype={"block": str}).dropna(subset="block")
    last = layers.iloc[-1]
    sizes = [f"{row.field_height:g} x {row.field_width:g}" for row in layers.itertuples()]
    yield (
        f"Cells of the visual cortex see a small part of the field of vision, and so do units of {run.name}: by block "
        f"{', then '.join(sizes)} pixels."
    )
    yield (
        f"Within its field a unit uses mostly the middle: 90% of the gradient of {last['block']} is in a square of "
        f"{last['effective']:g} pixels, and was in one of {last['effective_before']:g} before training."
    )


def lenet_and_alexnet(results: Results) -> Section:
    """The two networks of the course, as far as they were run."""
    lenet, alexnet = results.first("lenet5"), results.first("alexnet")
    sentences = []
    if lenet:
        sentences.append(
            f"{lenet.name}, the LeNet-5 of 1998 with {lenet.training['parameters']:,} parameters, classifies "
            f"{percent(lenet.score)} of the test images correctly."
        )
        sentences += _detection(lenet)
    if alexnet:
        sentences.append(
            f"{alexnet.name}, an AlexNet with {alexnet.training['parameters']:,} parameters, classifies "
            f"{percent(alexnet.score)}."
        )
    else:
        sentences.append("AlexNet was not run here; benchmarks/ has its results on whole data sets.")
    sources = Sources(("vision/models/lenet.py", "vision/models/alexnet.py"), lenet or alexnet, [LECUN, KRIZHEVSKY])
    elements = results.shown(lenet, "detections.png") or results.shown(alexnet, "filters.png")
    return chapter("LeNet and AlexNet", "lenet-alexnet", sentences, elements, sources, results)


def _detection(run: RunResults) -> Iterator[str]:
    place = run.paths.insight / "detection/numbers.json"
    if place.is_file():
        found = files.read_json(place)
        yield (
            f"Moved over larger canvases in one pass, as a fully convolutional network, it finds "
            f"{percent(found['recall'])} of the digits, and {percent(found['precision'])} of "
            "what it finds are digits of that class."
        )


CHAPTERS = (receptive_fields, lenet_and_alexnet)

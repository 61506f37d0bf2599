"""Chapters on augmentation, on transformed images, and on adversarial perturbations."""

from collections.abc import Iterator

import pandas as pd

from cvnlp.params.attacks import shown_strength
from cvnlp.params.runs import VisionRun
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import Element, Section
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import listed, percent, sentence
from cvnlp.vision.report.chapters.convolution import CONVOLUTIONAL
from cvnlp.vision.report.robustness import SERIES

ENGSTROM = Paper("Engstrom et al. 2019", "https://arxiv.org/abs/1712.02779")
SZEGEDY = Paper("Szegedy et al. 2014", "https://arxiv.org/abs/1312.6199")
GOODFELLOW = Paper("Goodfellow et al. 2015", "https://arxiv.org/abs/1412.6572")
MADRY = Paper("Madry et al. 2018", "https://arxiv.org/abs/1706.06083")


def augmentation(results: Results) -> Section:
    """How far the accuracy reaches beyond what training has shown."""
    run = next((one for one in results.runs if one.network in CONVOLUTIONAL and _augmented(one)), None)
    sentences = list(_augmentation(run)) if run else []
    sources = Sources(
        ("vision/training/augmentation.py", "vision/insight/invariance.py"),
        run,
        [Paper("Simard et al. 2003", "https://doi.org/10.1109/ICDAR.2003.1227801")],
    )
    elements = results.shown(run, "invariance.png")
    return chapter("Augmentation", "augmentation", sentences, elements, sources, results)


def _augmented(run: RunResults) -> bool:
    block = run.block
    return isinstance(block, VisionRun) and bool(block.train.augment and block.train.augment.rotation)


def _augmentation(run: RunResults) -> Iterator[str]:
    block = run.block
    if not isinstance(block, VisionRun) or not block.train.augment:
        return
    limit = block.train.augment.rotation
    table = pd.read_csv(run.paths.insight / "invariance.csv")
    turned = table[table["transformation"] == "rotation"].set_index("amount")["accuracy"]
    inside, outside = (turned[turned.index.to_series().abs() <= limit], turned[turned.index.to_series().abs() > limit])
    yield (
        f"In training, {run.name} sees every image shifted by up to {block.train.augment.shift:g} pixels, rotated by "
        f"up to {limit:g} degrees and scaled by up to {percent(block.train.augment.scale)}, anew in each epoch."
    )
    if len(inside) and len(outside):
        far = min(outside.index, key=abs)
        yield (
            f"Within these angles it classifies at least {percent(inside.min())} of the validation images correctly. "
            f"Of images rotated by {far:g} degrees, which it has never seen, {percent(outside[far])}."
        )


def transformations(results: Results) -> Section:
    """The worst combination of a small rotation and shift, for every classifier."""
    runs = [(run, table.iloc[0]) for run in results.runs if (table := _worst(run)) is not None]
    sentences = []
    if runs:
        grid, shares = runs[0][1], [f"{percent(row['accuracy'])} ({run.name})" for run, row in runs]
        sentences = [
            f"Small rotations (up to {grid['rotation']:g} degrees) combined with shifts (up to {grid['shift']:g} "
            f"pixels) leave the content of an image as it is. Classified correctly after every one of them are "
            f"{listed(shares)} of the validation images."
        ]
    sources = Sources(("vision/inference/spatial.py",), runs[0][0] if runs else None, [ENGSTROM])
    first = next((run for run, _ in runs if run.network in CONVOLUTIONAL), None)
    datasets = dict.fromkeys(run.block.dataset for run, _ in runs)
    drawings = [f"invariance-{name}.png" for name in datasets]
    elements = [*results.shown(first, "misclassified.png"), *results.overall("all-vision", *drawings[:1])]
    return chapter("Limits: small rotations and shifts", "limits", sentences, elements, sources, results)


def _worst(run: RunResults) -> pd.DataFrame | None:
    path = run.paths.insight / "worst_case.csv"
    return pd.read_csv(path) if path.is_file() else None


def adversarial(results: Results) -> Section:
    """What small perturbations do, and what adversarial training keeps."""
    run = results.first(*CONVOLUTIONAL) or (results.runs[0] if results.runs else None)
    sentences, elements = [], list[Element]()
    if run and isinstance(run.block, VisionRun):
        eps = nearest_eps(run)
        sentences = list(_attacked(run, results, eps))
        elements = [*results.shown(run, "adversarial_examples.png", SERIES)]
    elements += results.overall("all-vision", "worst_cases.png")
    sources = Sources(("vision/attacks", "vision/training/adversarial.py"), run, [SZEGEDY, GOODFELLOW, MADRY])
    return chapter("Adversarial perturbations", "adversarial", sentences, elements, sources, results)


def nearest_eps(run: RunResults) -> float:
    """The eps of a run that the sentences are about."""
    return shown_strength(run.block.attack.eps if isinstance(run.block, VisionRun) else [])


def attacked_clause(run: RunResults, eps: float) -> str:
    """The end of a sentence: what attacks leave of the accuracy."""
    found = run.attacks
    worst, noise = found[f"accuracy_worst_case_{eps}"], found.get(f"accuracy_random_{eps}")
    added = f"; random noise of the same size leaves {percent(noise)}" if noise is not None else ""
    return f"reduce the accuracy of {run.name} from {percent(found['accuracy_clean'])} to {percent(worst)}{added}."


def _attacked(run: RunResults, results: Results, eps: float) -> Iterator[str]:
    found = run.attacks
    yield f"Attacks that change no pixel by more than {eps:g} of its range {attacked_clause(run, eps)}"
    if "targeted_success" in found:
        yield f"Into a class chosen beforehand, they turn {percent(found['targeted_success'])} of the images tried."
    defended = [other for other in results.runs if isinstance(other.block, VisionRun) and other.block.train.adversarial]
    for robust in (other for other in defended if f"accuracy_worst_case_{eps}" in other.attacks):
        kept = percent(robust.attacks[f"accuracy_worst_case_{eps}"])
        yield f"Adversarial training, in {robust.name}, keeps {kept}."
        if robust.block.dataset == run.block.dataset:
            yield sentence(f"on images that were not attacked, {robust.against(run)}")


CHAPTERS = (augmentation, transformations, adversarial)

"""The neocognitron: responses of its cells, what each stage learns, and training without an optimiser."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp import networks
from cvnlp.params.runs import Augment, VisionTrain
from cvnlp.training import trainer
from cvnlp.vision.inference import predict_split
from cvnlp.vision.models.neocognitron import CLayer, Contrast, Neocognitron, Recognition, SLayer
from cvnlp.vision.training import GradientFreeTask
from make_networks import classifier
from make_trainings import InterruptionError, run_training

SMALL = {"planes": [12], "prototypes": 60}
SIZE = 20


def build(size: int = SIZE, channels: int = 1, classes: int = 4, **options: Any) -> Neocognitron:
    torch.manual_seed(0)
    return classifier("neocognitron", (size, size, channels), classes, mean=0.2, std=0.3, **(SMALL | options))


def make_signs(count: int = 80, seed: int = 1, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """A horizontal and a vertical stroke, a cross and a square, near the centre, on faint noise."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, size, size, generator=generator) * 0.1
    labels = torch.arange(count) % 4
    for image, label in zip(images[:, 0], labels, strict=True):
        top, left = (torch.randint(-1, 2, (2,), generator=generator) + size // 2 - 5).tolist()
        lines = {0: [("row", 5)], 1: [("column", 5)], 2: [("row", 5), ("column", 5)]}
        square = [(kind, at) for kind in ("row", "column") for at in (0, 9)]
        for kind, at in lines.get(int(label), square):
            rows, columns = (slice(at, at + 2), slice(0, 11)) if kind == "row" else (slice(0, 11), slice(at, at + 2))
            image[top : top + 11, left : left + 11][rows, columns] = 1.0
    return images, labels


def teach(network: Neocognitron, images: Tensor, labels: Tensor, epochs: int | None = None) -> Neocognitron:
    for epoch in range(epochs or network.min_epochs):
        for start in range(0, len(images), 20):
            network.learn(images[start : start + 20], labels[start : start + 20], epoch=epoch)
    return network


@pytest.fixture(scope="module")
def taught() -> Neocognitron:
    return teach(build(), *make_signs())


def state(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(before: dict[str, Tensor], network: torch.nn.Module) -> set[str]:
    return {name for name, tensor in network.state_dict().items() if not torch.equal(before[name], tensor)}


# What a cell answers


def s_layer(threshold: float = 0.5, planes: int = 6) -> SLayer:
    torch.manual_seed(1)
    layer = SLayer(4, planes, 3, threshold, 0.7)
    layer.templates.copy_(torch.rand(planes, 4, 3, 3) ** 4)  # a few strong inputs each: unlike one another
    layer.count.fill_(planes)
    return layer


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9])
def test_an_s_cell_responds_most_to_its_own_template(threshold: float) -> None:
    layer = s_layer(threshold)
    answers = layer(layer.templates * 5)[:, :, 1, 1]
    assert answers.argmax(1).tolist() == list(range(6))
    assert ((answers.diagonal() > 0.95) & (answers.diagonal() <= 1)).all()


def test_excitation_over_inhibition_is_the_cosine() -> None:
    layer = s_layer()
    inputs = torch.rand(5, 4, 3, 3)
    excitation, inhibition = layer.measure(inputs)
    expected = F.cosine_similarity(inputs.flatten(1)[:, None], layer.templates.flatten(1)[None], dim=2)
    assert torch.allclose((excitation / inhibition)[:, :, 1, 1], expected, atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 2.0, 100.0])
def test_inhibition_makes_the_response_independent_of_contrast(factor: float) -> None:
    layer = s_layer()
    inputs = torch.rand(2, 4, 6, 6) + 0.5
    assert torch.allclose(layer(inputs), layer(factor * inputs), rtol=0.05)


def test_an_s_cell_does_not_respond_without_input_or_to_other_patterns() -> None:
    layer = s_layer(0.6)
    assert not layer(torch.zeros(1, 4, 5, 5)).any()
    inputs = torch.rand(200, 4, 3, 3) ** 4
    excitation, inhibition = layer.measure(inputs)
    unlike = excitation < 0.6 * inhibition
    assert unlike.any() and not unlike.all()
    assert torch.equal(layer(inputs) == 0, unlike)


def test_a_higher_threshold_is_more_selective() -> None:
    inputs = torch.rand(50, 4, 6, 6)
    active = [(s_layer(threshold)(inputs) > 0).float().mean().item() for threshold in (0.3, 0.5, 0.7, 0.9)]
    assert active == sorted(active, reverse=True)
    assert active[0] > active[-1]


def test_an_unused_plane_does_not_respond(taught: Neocognitron) -> None:
    top = taught.layers[-1]
    assert 0 < top.count < len(top.templates)
    assert not top.templates[int(top.count) :].any() and top.templates[: int(top.count)].flatten(1).any(1).all()


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_cells_do_not_respond_to_a_uniform_image(level: float, channels: int) -> None:
    assert Contrast(channels)(torch.full((1, channels, 9, 7), level)).abs().max() < 1e-6


def test_on_and_off_centre_cells_respond_to_opposite_spots() -> None:
    spot = torch.zeros(1, 1, 9, 9)
    spot[..., 4, 4] = 1.0
    contrast = Contrast(1)
    assert torch.equal(contrast(spot)[:, [1, 0]], contrast(-spot))
    assert contrast(spot)[0, 0].argmax() == 4 * 9 + 4


@pytest.mark.parametrize("planes", [4, 8, 16])
def test_a_plane_of_the_first_stage_responds_to_edges_of_its_direction(planes: int) -> None:
    network = build(first_planes=planes)
    place = torch.arange(-8, 9)
    for plane in range(planes):
        angle = 2 * math.pi * plane / planes
        picture = (place * math.cos(angle) + place[:, None] * math.sin(angle)).clamp(-0.5, 0.5)[None, None]
        answers = network.layers[:2](10 * picture)[0, :, 8, 8]
        assert answers.argmax() == plane and answers[plane] > 0.9


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_shift_tolerance_grows_with_every_c_layer(shift: int, taught: Neocognitron) -> None:
    images, _ = make_signs()
    likeness = []
    for depth in (2, 3, 5):  # S1, C1, C2
        maps, shifted = (taught.layers[:depth](one) for one in (images, images.roll(shift, dims=3)))
        likeness.append(F.cosine_similarity(maps.flatten(1), shifted.flatten(1)).mean().item())
    assert likeness == sorted(likeness)


def test_a_c_cell_blurs_its_own_plane_and_saturates() -> None:
    layer = CLayer(2, 5)
    inputs = torch.zeros(1, 2, 9, 9)
    inputs[0, 1, 4, 4] = 1.0
    blurred, brighter = layer(inputs)[0], layer(10 * inputs)[0]
    assert blurred.shape == (2, 5, 5) and not blurred[0].any()
    assert blurred[1].argmax() == 2 * 5 + 2 and (blurred[1] > 0).sum() == 9
    assert blurred[1].max() < brighter[1].max() < min(1, 10 * blurred[1].max())


# What is learned


def test_a_new_feature_starts_a_plane_and_a_known_one_does_not() -> None:
    layer = build(planes=[12]).layers[3]
    layer.templates.zero_()
    features = torch.zeros(3, 8, 6, 6)
    for number, feature in enumerate(features):
        feature[2 * number : 2 * number + 2, 3, 3] = 1.0
    for picked, count in ([0], 1), ([0], 1), ([1, 0], 2), ([0, 1, 2, 2], 3):
        layer.learn(features[picked], torch.zeros(len(picked)))
        # one input seen from the nine places around it is nine features
        assert layer.count == min(9 * count, 12)


def test_learning_stops_at_the_number_of_planes() -> None:
    network = teach(build(planes=[5, 3], prototypes=4, learning_threshold=0.95), *make_signs())
    assert [int(learner.count) for learner in network.learners] == [5, 3, 4]


def test_a_lower_threshold_creates_fewer_planes() -> None:
    counts = [
        int(teach(build(planes=[400], learning_threshold=value), *make_signs()).learners[0].count)
        for value in (0.4, 0.55, 0.7)
    ]
    assert counts[0] < counts[1] < counts[2] < 400


def test_the_recognition_layer_learns_from_its_errors() -> None:
    top = Recognition(3, 4, (2, 2), 2, 60.0)
    top.templates.zero_()
    one, other = torch.rand(3, 2, 2), torch.rand(3, 2, 2)
    top.learn(torch.stack([one, one, one]), torch.tensor([1, 1, 1]))
    assert (int(top.count), top.labels[0]) == (1, 1)  # begun once, strengthened twice
    assert torch.allclose(top.templates[0], 3 * one / one.norm())
    top.learn(other[None], torch.tensor([0]))
    assert (int(top.count), top.labels[:2].tolist()) == (2, [1, 0])
    assert top(torch.stack([one, other])).argmax(1).tolist() == [1, 0]
    assert torch.allclose(top(one[None])[0, 1], torch.tensor(60.0), rtol=0.06)


def test_each_epoch_trains_one_stage_from_the_lowest_up() -> None:
    network, (images, labels) = build(planes=[6, 6], first="learned"), make_signs()
    assert network.min_epochs == 4
    for epoch, layer in enumerate([1, 3, 5, 7, 7, 7]):
        before = state(network)
        network.learn(images, labels, epoch=epoch)
        assert {name.split(".")[1] for name in changed(before, network)} == {str(layer)}


def test_drawn_edges_are_not_learned() -> None:
    network = build(planes=[6, 6])
    before = state(network.layers[1])
    teach(network, *make_signs(), epochs=5)
    assert network.min_epochs == 3
    assert changed(before, network.layers[1]) == set()


def test_inference_does_not_change_the_network(taught: Neocognitron) -> None:
    network = copy.deepcopy(taught)
    before = state(network)
    for mode in (True, False):
        network.train(mode)(make_signs(seed=2)[0])
    assert changed(before, network) == set()


def test_learning_twice_gives_the_same_bits(taught: Neocognitron) -> None:
    assert changed(state(taught), teach(build(), *make_signs())) == set()


@pytest.mark.parametrize("options", [{}, {"first": "learned"}, {"planes": [12, 16]}, {"blur": 3}, {"field": 5}])
def test_patterns_are_recognised_at_other_positions(options: dict[str, Any]) -> None:
    network = teach(build(**options), *make_signs())
    images, labels = make_signs(seed=2)
    assert (network(images).argmax(1) == labels).float().mean() >= 0.9


def test_colour_images_are_learned() -> None:
    (images, labels), (others, expected) = make_signs(), make_signs(seed=2)
    network = teach(build(channels=3), images.repeat(1, 3, 1, 1), labels)
    assert (network(others.repeat(1, 3, 1, 1)).argmax(1) == expected).float().mean() >= 0.9


def test_gradients_reach_every_image_after_learning(taught: Neocognitron) -> None:
    images, labels = make_signs(seed=2)
    images.requires_grad_()
    F.cross_entropy(taught(images), labels, reduction="sum").backward()
    assert torch.isfinite(images.grad).all() and images.grad.flatten(1).any(1).all()
    assert all(parameter.grad is None for parameter in taught.parameters())


def test_nothing_is_learned_from_empty_images() -> None:
    network = teach(build(), torch.full((20, 1, SIZE, SIZE), 0.2), torch.arange(20) % 4)
    assert [int(learner.count) for learner in network.learners] == [0, 0]
    assert torch.isfinite(network(make_signs()[0])).all()


def test_templates_are_parameters_without_gradients() -> None:
    network = build(planes=[12], prototypes=60)
    assert networks.parameter_count(network) == 8 * 2 * 9 + 12 * 8 * 9 + 60 * 12 * 25
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"field": 4}, r"options\.field: must be odd.*given: 4"),
        ({"blur": 2}, r"options\.blur: must be odd.*given: 2"),
        ({"prototypes": 3}, r"model\.prototypes: 3 cannot represent 4 classes"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**options)


# Its training


def make_options(**changes: Any) -> VisionTrain:
    augment = Augment(shift=0.5, rotation=3.0)
    return VisionTrain(**({"epochs": 4, "batch_size": 50, "clip": 1.0, "augment": augment} | changes))


@pytest.fixture
def train(vision_data: Path, tmp_path: Path) -> Callable[..., tuple[trainer.Fitted, Path]]:
    """Trains as the stage does; returns the result and the folder of the saved network."""
    count = iter(range(100))

    def run(
        resume: str | None = None, interrupt: tuple[str, int] | None = None, **changes: Any
    ) -> tuple[trainer.Fitted, Path]:
        number = next(count)
        trained = run_training(
            "vision",
            vision_data,
            tmp_path / f"model-{number}",
            resume=tmp_path / (resume or f"resume-{number}"),
            interrupt=interrupt,
            named=("neocognitron", {"planes": [16], "prototypes": 90}),
            options=make_options(**changes),
        )
        return trained.fitted, tmp_path / f"model-{number}"

    return run


def weights(folder: Path) -> bytes:
    return (folder / networks.WEIGHTS).read_bytes()


def test_the_history_has_a_row_per_epoch_and_no_learning_rate(train: Callable[..., Any], vision_data: Path) -> None:
    fitted, folder = train()
    assert [row["epoch"] for row in fitted.history] == [0, 1, 2, 3]
    assert [row["step"] for row in fitted.history] == [6, 12, 18, 24]
    assert all("lr" not in row and row["train_loss"] > 0 for row in fitted.history)
    assert fitted.examples == 4 * 300
    probabilities, labels = predict_split(networks.load(folder)[0], vision_data, "validation")
    accuracy = (probabilities.argmax(1) == labels).mean()
    assert accuracy == pytest.approx(fitted.history[fitted.best_epoch]["validation_accuracy"])
    assert accuracy > 0.7  # the class is the row of a bar: what it tolerates is what tells the classes apart


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_an_interrupted_training_ends_in_the_same_bytes(epoch: int, train: Callable[..., Any]) -> None:
    whole, folder = train()
    with pytest.raises(InterruptionError):
        train(resume="state", interrupt=("batches", epoch))
    torch.rand(7)  # the random state is another than at the interruption
    resumed, again = train(resume="state")
    assert resumed.history == whole.history
    assert weights(again) == weights(folder)


def test_mixed_precision_learns_float32_templates(train: Callable[..., Any]) -> None:
    fitted, folder = train(precision="bf16")
    assert all(tensor.dtype != torch.bfloat16 for tensor in networks.load(folder)[0].state_dict().values())
    assert fitted.history[-1]["validation_accuracy"] > 0.7


def test_too_few_epochs_are_refused() -> None:
    network = build(planes=[8, 8])
    for epochs in (1, 2):
        with pytest.raises(ValueError, match=rf"train\.epochs: {epochs} is too few.*take 3 or more"):
            GradientFreeTask(network, make_options(epochs=epochs), folder=Path(), seed=1)
    for epochs in (0, 3):
        GradientFreeTask(network, make_options(epochs=epochs), folder=Path(), seed=1)


@pytest.mark.parametrize("average", ["ema", "swa"])
def test_an_average_of_templates_is_refused(average: str) -> None:
    with pytest.raises(ValueError, match=rf"train\.average: {average} .*take none"):
        GradientFreeTask(build(), make_options(average=average), folder=Path(), seed=1)

"""Adversarial training: the perturbations of training images, the losses, and which epoch is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor, nn

from cvnlp.params.adversarial_training import Adversarial
from cvnlp.params.runs import VisionTrain
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.training import adversarial
from cvnlp.vision.training.task import ROBUST_ACCURACY
from make_networks import classifier
from make_trainings import InterruptionError, Trained, make_options, run_training

METHODS: dict[str, dict[str, Any]] = {
    "fast": {},
    "pgd": {"steps": 3},
    "trades": {"steps": 2, "beta": 3.0},
    "noise": {},
}


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(8, 1, 12, 12, generator=generator), torch.arange(8) % 10


def make_network() -> nn.Module:
    torch.manual_seed(0)
    options = {"blocks": [{"filters": 4, "batch_norm": True}], "hidden": [16], "dropout": 0.5}
    return classifier("cnn", (12, 12, 1), 10, mean=0.2, std=0.25, **options)


def loss_of(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    network.eval()
    with torch.no_grad():
        return float(F.cross_entropy(network(images), labels))


# Perturbations


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("method", ["fast", "pgd"])
def test_perturbed_images_stay_in_the_ball_and_have_a_higher_loss(
    method: str, norm: Any, batch: tuple[Tensor, Tensor]
) -> None:
    eps = 0.1 if norm == "linf" else 1.0
    network, options = make_network(), Adversarial(method=method, eps=eps, norm=norm, **METHODS[method])
    attacked = adversarial.perturb(network, *batch, options, scale=0.5)
    assert float(Ball(norm, eps / 2).sizes(batch[0], attacked).max()) <= eps / 2 + 1e-6
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert loss_of(network, attacked, batch[1]) > loss_of(network, *batch)


def test_a_step_of_fast_is_that_of_its_paper(batch: tuple[Tensor, Tensor]) -> None:
    """Wong et al. 2020, Algorithm 3: a uniform start, a step of 1.25 eps along the sign, and a projection."""
    network, (images, labels), eps = make_network().eval(), batch, 0.1
    torch.manual_seed(5)
    start = (torch.rand(images.shape) * 2 - 1) * eps
    point = (images + start).clamp(0, 1).requires_grad_()
    F.cross_entropy(network(point), labels, reduction="sum").backward()
    assert point.grad is not None
    change = (point.detach() - images + 1.25 * eps * point.grad.sign()).clamp(-eps, eps)
    torch.manual_seed(5)
    found = adversarial.perturb(network, images, labels, Adversarial(method="fast", eps=eps), scale=1.0)
    assert torch.allclose(found, (images + change).clamp(0, 1), atol=1e-6)


def test_noise_has_the_standard_deviation_of_eps() -> None:
    images = torch.full((64, 1, 12, 12), 0.5)
    noisy = adversarial.perturb(nn.Identity(), images, images, Adversarial(method="noise", eps=0.25), scale=1.0)
    assert float((noisy - images).std()) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("method", ["fast", "pgd"])
def test_perturbing_changes_neither_weights_nor_statistics(method: str, batch: tuple[Tensor, Tensor]) -> None:
    network = make_network().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    adversarial.perturb(network, *batch, Adversarial(method=method, eps=0.1, **METHODS[method]), scale=1.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters()) and network.training


def test_trades_divergence_is_zero_without_eps_and_positive_with_it(batch: tuple[Tensor, Tensor]) -> None:
    network, options = make_network().eval(), Adversarial(method="trades", eps=0.2, steps=3)
    logits = network(batch[0])
    near, far = (
        float(adversarial.trades_divergence(network.eval(), batch[0], logits, options, scale=scale).detach())
        for scale in (1e-9, 1.0)
    )
    assert abs(near) < far


def test_validation_attacks_work_in_inference_mode(batch: tuple[Tensor, Tensor]) -> None:
    network, options = make_network().eval(), Adversarial(method="pgd", eps=0.3, steps=1)
    with torch.inference_mode():
        found = adversarial.attacked_predictions(network, batch[0] * 1.0, batch[1], options, steps=5)
    assert found.shape == (8,)


# Training


@pytest.fixture
def train(vision_data: Path, tmp_path: Path) -> Callable[..., Trained]:
    def run(defence: Adversarial | None, folder: str = "run", **options: Any) -> Trained:
        return run_training("vision", vision_data, tmp_path / folder, adversarial=defence, **options)

    return run


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_training_ends_in_the_same_bytes(method: str, train: Callable[..., Trained]) -> None:
    defence = Adversarial(method=method, eps=0.1, warmup=0.5, validation_steps=2, **METHODS[method])
    whole = train(defence)
    with pytest.raises(InterruptionError):
        train(defence, "again", interrupt=("batches", 1))
    resumed = train(defence, "again")
    assert resumed.weights == whole.weights and resumed.fitted.history == whole.fitted.history


@pytest.mark.parametrize("method", ["fast", "pgd", "trades"])
def test_the_epoch_with_the_highest_robust_accuracy_is_kept(method: str, train: Callable[..., Trained]) -> None:
    fitted = train(Adversarial(method=method, eps=0.1, validation_steps=3, **METHODS[method])).fitted
    robust = [row[ROBUST_ACCURACY] for row in fitted.history]
    assert fitted.best_epoch == robust.index(max(robust))


def test_adversarial_training_makes_a_network_more_robust(train: Callable[..., Trained]) -> None:
    # attacked alike: eps of the defence is that of the validation
    robust = train(Adversarial(method="pgd", eps=0.15, steps=3), epochs=8).fitted.history[-1]
    weak = train(Adversarial(method="pgd", eps=0.15, steps=3, warmup=0.99), "weak", epochs=1).fitted.history[-1]
    assert robust[ROBUST_ACCURACY] > weak[ROBUST_ACCURACY]
    assert robust[ROBUST_ACCURACY] <= robust["validation_accuracy"]


def test_fast_reports_catastrophic_overfitting(
    train: Callable[..., Trained], capsys: pytest.CaptureFixture[str]
) -> None:
    defence = Adversarial(method="fast", eps=0.1, validation_steps=2)
    history = train(defence).fitted.history
    assert all(row["catastrophic_overfitting"] in (0.0, 1.0) for row in history)

    def overfitted(task: Any) -> Any:
        class Overfitted(task):
            def validation_step(self, batch: Any) -> None:
                self.tally("validation_nll", torch.tensor(1.0), 1)
                self.tally(ROBUST_ACCURACY, torch.tensor(0.1), 1)
                self.tally("validation_fgsm_accuracy", torch.tensor(0.9), 1)

        return Overfitted

    history = train(defence, "overfitted", epochs=1, wrap=overfitted).fitted.history
    assert history[0]["catastrophic_overfitting"] == 1.0
    assert "catastrophic overfitting: accuracy 90.0% under FGSM but 10.0% under PGD" in capsys.readouterr().out


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "fast", "eps": 0.1, "steps": 3}, "steps: a number with method: pgd or trades"),
        ({"method": "pgd", "eps": 0.1, "beta": 3.0}, "beta: a number with method: trades"),
        ({"method": "pgd", "eps": 1.5}, "eps: 1.5 is more than the full range of a pixel, 1"),
        ({"method": "noise", "eps": 0.1, "step_size": 1.0}, "step_size belongs to fast, pgd and trades"),
    ],
)
def test_options_of_another_method_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Adversarial(**options)


def test_trades_and_pruning_are_refused_together() -> None:
    with pytest.raises(ValidationError, match=r"prune: .* trades"):
        VisionTrain.model_validate({"epochs": 1, "prune": {}, "adversarial": {"method": "trades", "eps": 0.1}})


def test_a_network_without_gradients_cannot_be_defended(vision_data: Path, tmp_path: Path) -> None:
    options = make_options("vision", adversarial=Adversarial(method="fast", eps=0.1))
    with pytest.raises(ValueError, match=r"train\.adversarial: needs gradients"):
        run_training("vision", vision_data, tmp_path, named=("neocognitron", {}), options=options)

"""The losses of attacks against their definitions."""

import pytest
import torch
import torch.nn.functional as F

from cvnlp.vision.attacks.losses import cross_entropy, dlr, log_odds, margin, targeted_dlr, targeted_margin

LOGITS = torch.tensor([[1.0, 4.0, 2.0, 0.5], [3.0, 1.0, 2.5, 2.0]])
LABELS, TARGETS = torch.tensor([1, 2]), torch.tensor([2, 3])


def test_losses_are_those_of_their_definitions() -> None:
    assert margin(LOGITS, LABELS).tolist() == [-2.0, 0.5]
    assert targeted_margin(LOGITS, LABELS, TARGETS).tolist() == [-2.0, -0.5]
    assert dlr(LOGITS, LABELS).tolist() == pytest.approx([-2 / 3, 0.5 / 1.0])
    assert targeted_dlr(LOGITS, LABELS, TARGETS).tolist() == pytest.approx([-2 / 3.25, -0.5 / 1.5])
    assert torch.allclose(cross_entropy(LOGITS, LABELS), F.cross_entropy(LOGITS, LABELS, reduction="none"))
    assert torch.allclose(F.softplus(log_odds(LOGITS, LABELS)), cross_entropy(LOGITS, LABELS))


def test_dlr_does_not_depend_on_scale_and_offset_of_the_logits() -> None:
    moved = 1e4 * LOGITS + 7
    assert torch.allclose(dlr(moved, LABELS), dlr(LOGITS, LABELS))
    assert torch.allclose(targeted_dlr(moved, LABELS, TARGETS), targeted_dlr(LOGITS, LABELS, TARGETS))


@pytest.mark.parametrize("classes", [2, 3])
def test_dlr_of_few_classes_is_the_margin(classes: int) -> None:
    logits, labels, targets = LOGITS[:, :classes], torch.tensor([1, 0]), torch.tensor([0, 1])
    assert torch.equal(dlr(logits, labels), margin(logits, labels))
    assert torch.equal(targeted_dlr(logits, labels, targets), targeted_margin(logits, labels, targets))


def test_equal_logits_have_a_finite_loss() -> None:
    equal = torch.ones(2, 5)
    assert dlr(equal, LABELS).tolist() == targeted_dlr(equal, LABELS, TARGETS).tolist() == [0, 0]


def test_log_odds_has_a_gradient_where_the_cross_entropy_has_none() -> None:
    logits = (1e4 * LOGITS[:1]).requires_grad_()
    vanished, other = (
        torch.autograd.grad(loss(logits, LABELS[:1]).sum(), logits)[0] for loss in (cross_entropy, log_odds)
    )
    assert not vanished.any() and other.tolist() == [[0.0, -1.0, 1.0, 0.0]]

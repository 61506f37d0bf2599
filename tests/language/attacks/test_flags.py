"""Flags of an untrustworthy evaluation: each is raised by its sign alone."""

import torch
from torch import Tensor

from cvnlp.language.attacks.flags import Losses, raised_flags

CLEAN = [torch.ones(3, 5), torch.ones(3, 5)]


def make_losses(random: float, hotflip: float, worst: float, larger_worst: float) -> Losses:
    """Losses of three excerpts at two shares; at the larger one only that of the worst case differs."""

    def methods(last: float) -> dict[str, Tensor]:
        values = {"random": random, "hotflip": hotflip, "worst_case": last}
        return {method: torch.full((3,), value) for method, value in values.items()}

    return {0.2: methods(larger_worst), 0.1: methods(worst)}


def raised(losses: Losses, evaluations: list[Tensor]) -> set[str]:
    return {name for name, value in raised_flags(losses, evaluations).items() if value == 1.0}


def test_no_flag_is_raised_where_stronger_attacks_are_stronger() -> None:
    assert raised(make_losses(2.0, 3.0, 3.0, 3.5), CLEAN) == set()
    assert raised(make_losses(2.0, 2.0, 3.0, 3.0), CLEAN) == set()


def test_hotflip_weaker_than_random_is_flagged() -> None:
    assert raised(make_losses(3.0, 2.0, 3.0, 3.5), CLEAN) == {"flag_worst_below_random"}


def test_larger_share_with_a_smaller_loss_is_flagged() -> None:
    assert raised(make_losses(2.0, 3.0, 3.0, 2.9), CLEAN) == {"flag_larger_share_weaker"}


def test_different_answers_to_the_same_text_are_flagged() -> None:
    assert raised(make_losses(2.0, 3.0, 3.0, 3.5), [CLEAN[0], CLEAN[0] + 0.01]) == {"flag_randomised_output"}


def test_rounding_is_not_flagged() -> None:
    assert raised(make_losses(3.0, 2.99999, 3.0, 2.99999), [CLEAN[0], CLEAN[0] + 1e-6]) == set()


def test_flag_that_does_not_apply_is_left_out() -> None:
    losses = {0.1: {"random": torch.ones(2), "worst_case": torch.ones(2)}}
    assert raised_flags(losses, CLEAN) == {"flag_larger_share_weaker": 0.0, "flag_randomised_output": 0.0}

"""The check of an attack: whatever breaks its constraint is refused, with the attack's name and the numbers."""

import pytest
import torch
from torch import Tensor

from cvnlp.language.attacks.checks import check_attack, token_budget

VOCABULARY = 9


def check(inputs: Tensor, attacked: Tensor, *, exact: bool = True) -> None:
    check_attack("typo", inputs, attacked, share=0.2, vocabulary_size=VOCABULARY, exact=exact)


@pytest.fixture
def texts() -> tuple[Tensor, Tensor]:
    """Three texts of ten tokens, and the same with two of them changed."""
    inputs = torch.full((3, 10), 2)
    attacked = inputs.clone()
    attacked[:, :2] = 5
    return inputs, attacked


@pytest.mark.parametrize(("share", "length", "budget"), [(0.0, 10, 0), (0.29, 100, 29), (0.1, 19, 1), (1.0, 7, 7)])
def test_budget_is_the_whole_tokens_of_the_share(share: float, length: int, budget: int) -> None:
    assert token_budget(share, length) == budget


def test_attack_within_its_budget_passes(texts: tuple[Tensor, Tensor]) -> None:
    check(*texts)
    texts[1][1] = 2
    check(*texts, exact=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({}, "typo: 0 to 2 changed tokens in a text, but a share of 0.2 of 10 tokens is 2", id="too few"),
        pytest.param({0: 5, 1: 5, 2: 5}, "typo: 2 to 3 changed tokens", id="too many"),
        pytest.param({0: 9, 1: 5}, "typo: token ids from 2 to 9, but the vocabulary has 0 to 8", id="beyond"),
        pytest.param({0: -1, 1: 5}, "typo: token ids from -1 to 5", id="below zero"),
    ],
)
def test_broken_constraint_is_refused(texts: tuple[Tensor, Tensor], change: dict[int, int], message: str) -> None:
    inputs, attacked = texts
    attacked[1] = 2
    for place, token in change.items():
        attacked[1, place] = token
    with pytest.raises(ValueError, match=message):
        check(inputs, attacked)


def test_other_shape_is_refused(texts: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"typo: attacked texts of shape \(3, 9\), not \(3, 10\)"):
        check(texts[0], texts[1][:, :-1])

"""The constraint of every attack on text: a share of the tokens may change, and targets stay as they are."""

from torch import Tensor


def token_budget(share: float, length: int) -> int:
    """How many of `length` tokens an attack may change."""
    return int(share * length + 1e-9)


def check_attack(
    name: str, inputs: Tensor, attacked: Tensor, *, share: float, vocabulary_size: int, exact: bool
) -> None:
    """ValueError unless every text (B, T) has at most the share of changed tokens (`exact`: exactly it), all valid."""
    if attacked.shape != inputs.shape:
        raise ValueError(f"{name}: attacked texts of shape {tuple(attacked.shape)}, not {tuple(inputs.shape)}")
    if attacked.min() < 0 or attacked.max() >= vocabulary_size:
        raise ValueError(
            f"{name}: token ids from {attacked.min()} to {attacked.max()}, but the vocabulary has 0 to "
            f"{vocabulary_size - 1}"
        )
    changed, budget = (attacked != inputs).sum(1), token_budget(share, inputs.shape[1])
    if changed.max() > budget or (exact and changed.min() < budget):
        raise ValueError(
            f"{name}: {changed.min()} to {changed.max()} changed tokens in a text, but a share of {share:g} of "
            f"{inputs.shape[1]} tokens is {budget}"
        )

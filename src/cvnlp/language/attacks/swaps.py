"""Swaps: of neighbouring tokens, and of neighbouring letters of a word (typos)."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from cvnlp.language.attacks.checks import token_budget
from cvnlp.language.models import Network


def swap_neighbours(
    network: Network,
    inputs: Tensor,
    targets: Tensor,
    *,
    share: float,
    generator: torch.Generator,
    vocabulary: Sequence[str],
) -> Tensor:
    """Swap neighbouring tokens at random places of each text (B, T); each swap changes two tokens.

    Fewer than the share change in texts with too few different neighbours.
    """
    return _swap(inputs, torch.ones_like(inputs[:, 1:], dtype=torch.bool), share, generator)


def typos(
    network: Network,
    inputs: Tensor,
    targets: Tensor,
    *,
    share: float,
    generator: torch.Generator,
    vocabulary: Sequence[str],
) -> Tensor:
    """Swap neighbouring letters within words, as in typing errors, at random places of each text (B, T).

    Where tokens are words, most misspelled ones become the unknown token 0. Fewer than the share change in texts with
    too few words that can be misspelled.
    """
    if all(len(token) == 1 for token in vocabulary[1:]):
        letter = torch.tensor([token.isalpha() for token in vocabulary], device=inputs.device)[inputs]
        return _swap(inputs, letter[:, 1:] & letter[:, :-1], share, generator)
    misspelled = torch.tensor(_misspelled(vocabulary, generator), device=inputs.device)[inputs]
    scores = _random_scores(inputs.shape, generator, misspelled != inputs)
    chosen, places = scores.topk(token_budget(share, inputs.shape[1]), dim=1)
    return inputs.scatter(1, places, torch.where(chosen > 0, misspelled.gather(1, places), inputs.gather(1, places)))


def _swap(inputs: Tensor, allowed: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Swap tokens with the next one where that is allowed (B, T - 1) and a different one.

    In each text (B, T) either the even or the odd places may be chosen, so that no token is moved twice.
    """
    count, length = inputs.shape
    odd = torch.randint(0, 2, (count, 1), generator=generator).to(inputs.device)
    places = torch.arange(length - 1, device=inputs.device)
    possible = allowed & (inputs[:, 1:] != inputs[:, :-1]) & (places % 2 == odd)
    swaps = min(token_budget(share, length) // 2, length - 1)
    chosen, first = _random_scores(possible.shape, generator, possible).topk(swaps, dim=1)
    order = torch.arange(length, device=inputs.device).repeat(count, 1)
    moved = (chosen > 0).long()
    return inputs.gather(1, order.scatter_add(1, first, moved).scatter_add(1, first + 1, -moved))


def _random_scores(shape: Sequence[int], generator: torch.Generator, possible: Tensor) -> Tensor:
    """Random numbers in (0, 1] at possible places, 0 elsewhere: the largest ones are a random choice of places."""
    return (1 - torch.rand(*shape, generator=generator)).to(possible.device) * possible


def _misspelled(vocabulary: Sequence[str], generator: torch.Generator) -> list[int]:
    """For every token (V,) the id of the word with two letters swapped; its own id if it has no two to swap."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    uniform = torch.rand(len(vocabulary), generator=generator).tolist()
    found = []
    for word, share in zip(vocabulary, uniform, strict=True):
        pairs = enumerate(itertools.pairwise(word))
        # <unk> and <eos> are no words
        places = [at for at, (one, other) in pairs if one != other and f"{one}{other}".isalpha() and word[0] != "<"]
        at = places[int(share * len(places))] if places else 0
        typed = f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}" if places else word
        found.append(ids.get(typed, 0))
    return found

"""Changed words before it: how much worse a text is predicted when part of what is read was changed.

Each attack is (network, inputs, targets, share, generator, vocabulary) -> attacked inputs, all int64 (B, T): a share of
the tokens that the model reads is changed, what it has to predict stays. `verify` holds each attack to that share.
"""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.domains import AttackResult
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.models import Network, Recurrent
from cvnlp.networks import device
from cvnlp.params.runs import LanguageAttack

Words = Sequence[str]  # of the vocabulary, by their numbers
AT_ONCE = 2**22  # of a batch's tokens x vocabulary, in memory together


def random_replacement(
    network: Network, inputs: Tensor, targets: Tensor, *, share: float, generator: torch.Generator, vocabulary: Words
) -> Tensor:
    """As many tokens of each text, at places and of kinds that chance has it."""
    count, length = inputs.shape
    order = torch.rand(count, length, generator=generator).argsort(1)[:, : _changes(share, length)].to(inputs.device)
    old, chance = inputs.gather(1, order), torch.rand(order.shape, generator=generator).to(inputs.device)
    known = old > 0
    # one of 1 .. V-1, never the unknown token, and without the old one where that is among them
    drawn = 1 + (chance * (network.vocabulary_size - 1 - known.long())).long()
    return inputs.scatter(1, order, drawn + (known & (drawn >= old)))


def hotflip(
    network: Recurrent,
    inputs: Tensor,
    targets: Tensor,
    *,
    share: float,
    generator: torch.Generator,
    vocabulary: Words,
    rounds: int = 4,
) -> Tensor:
    """The replacements that the gradient promises to hurt most (HotFlip, Ebrahimi et al. 2018).

    Replacing token a by b changes the loss to first order by (e_b - e_a) . dL/de_a. The best b of every place is found,
    the best places are changed; in a few rounds, for a promise holds only near the text it was made for.
    """
    total, attacked, changed = _changes(share, inputs.shape[1]), inputs, torch.zeros_like(inputs, dtype=torch.bool)
    for number in range(rounds):
        due = total * (number + 1) // rounds - total * number // rounds
        if not due:
            continue
        promise, best = _promises(network, attacked, targets)
        places = promise.masked_fill(changed, -torch.inf).topk(due, dim=1).indices
        attacked = attacked.scatter(1, places, best.gather(1, places))
        changed = changed.scatter(1, places, True)
    return attacked


def _promises(network: Recurrent, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The largest promised rise of the loss at every place (B, T), and the token that promises it."""
    embedded = network.embed(tokens).detach().requires_grad_()
    gradient = _gradient(network, embedded, targets)
    with torch.no_grad():
        every = network.embed(torch.arange(network.vocabulary_size, device=tokens.device))
        size = _texts_at_once(network, tokens)
        pieces = zip(tokens.split(size), gradient.split(size), embedded.split(size), strict=True)
        values, indices = zip(*(_best(every, *piece) for piece in pieces), strict=True)
    return torch.cat(values), torch.cat(indices)


def _gradient(network: Recurrent, embedded: Tensor, targets: Tensor) -> Tensor:
    """Of the summed loss, at the embedded inputs (B, T, D); through the output layer a few texts after the other."""
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
        outputs, _ = network.read(embedded)
    size = _texts_at_once(network, targets)
    at_outputs = []
    for piece, wanted in zip(outputs.detach().split(size), targets.split(size), strict=True):
        piece.requires_grad_()
        at_outputs += torch.autograd.grad(network.output.nats(piece, wanted).sum(), piece)
    return torch.autograd.grad(outputs, embedded, torch.cat(at_outputs))[0]


def _best(every: Tensor, tokens: Tensor, gradient: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
    """As _promises, of all embedded tokens (V, D)."""
    promise = gradient @ every.T - (gradient * embedded).sum(2, keepdim=True)
    promise[..., 0] = -torch.inf  # the unknown token is no token to write
    promise.scatter_(2, tokens[..., None], -torch.inf)
    values, indices = promise.max(2)
    return values, indices


def _texts_at_once(network: Network, tokens: Tensor) -> int:
    return max(1, AT_ONCE // (tokens.shape[1] * network.vocabulary_size))


def swap_neighbours(
    network: Network, inputs: Tensor, targets: Tensor, *, share: float, generator: torch.Generator, vocabulary: Words
) -> Tensor:
    """Tokens that change places with their neighbours, at places that chance has it: each swap changes two."""
    return _swapped(inputs, torch.ones_like(inputs[:, 1:], dtype=torch.bool), share, generator)


def typos(
    network: Network, inputs: Tensor, targets: Tensor, *, share: float, generator: torch.Generator, vocabulary: Words
) -> Tensor:
    """Letters that change places with the next one in their word, as happens to who types fast.

    Where the tokens are words, such a word is mostly unknown (number 0).
    """
    if all(len(token) == 1 for token in vocabulary[1:]):
        letter = torch.tensor([token.isalpha() for token in vocabulary], device=inputs.device)[inputs]
        return _swapped(inputs, letter[:, 1:] & letter[:, :-1], share, generator)
    misspelled = torch.tensor(_misspelled(vocabulary, generator), device=inputs.device)[inputs]
    chance = _chance(inputs.shape, generator, misspelled != inputs)
    chosen, places = chance.topk(_changes(share, inputs.shape[1]), dim=1)
    return inputs.scatter(1, places, torch.where(chosen > 0, misspelled.gather(1, places), inputs.gather(1, places)))


ATTACKS: dict[str, Callable[..., Tensor]] = {
    "random": random_replacement,
    "swap": swap_neighbours,
    "typo": typos,
    "hotflip": hotflip,
}
EXACT = ("random", "hotflip")  # the others find fewer places than the share has, where a text has few of them


def _swapped(inputs: Tensor, allowed: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Tokens swapped with the next one where it is allowed (B, T - 1) and another.

    Of a text (B, T) either the even or the odd places may be chosen: so no token is moved twice.
    """
    count, length = inputs.shape
    odd = torch.randint(0, 2, (count, 1), generator=generator).to(inputs.device)
    places = torch.arange(length - 1, device=inputs.device)
    free = allowed & (inputs[:, 1:] != inputs[:, :-1]) & (places % 2 == odd)
    swaps = min(_changes(share, length) // 2, length - 1)
    chosen, first = _chance(free.shape, generator, free).topk(swaps, dim=1)
    order = torch.arange(length, device=inputs.device).repeat(count, 1)
    moved = (chosen > 0).long()
    return inputs.gather(1, order.scatter_add(1, first, moved).scatter_add(1, first + 1, -moved))


def _chance(shape: Sequence[int], generator: torch.Generator, allowed: Tensor) -> Tensor:
    """Random numbers above 0 (B, T) where it is allowed, 0 elsewhere."""
    return (1 - torch.rand(*shape, generator=generator)).to(allowed.device) * allowed


def _misspelled(vocabulary: Words, generator: torch.Generator) -> list[int]:
    """For every token (V,) what it becomes when two letters of it change places, itself if it has no two to swap."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    chances = torch.rand(len(vocabulary), generator=generator).tolist()
    found = []
    for word, chance in zip(vocabulary, chances, strict=True):
        pairs = enumerate(itertools.pairwise(word))
        # <unk> and <eos> are no words
        places = [at for at, (one, other) in pairs if one != other and f"{one}{other}".isalpha() and word[0] != "<"]
        at = places[int(chance * len(places))] if places else 0
        typed = f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}" if places else word
        found.append(ids.get(typed, 0))
    return found


def _changes(share: float, length: int) -> int:
    return int(share * length + 1e-9)


def verify(inputs: Tensor, attacked: Tensor, *, share: float, vocabulary_size: int, exact: bool = True) -> None:
    """AssertionError if an attack broke its own rules. `exact`: it may change no less than the share either."""
    assert attacked.shape == inputs.shape
    changed, allowed = (attacked != inputs).sum(1), _changes(share, inputs.shape[1])
    assert ((changed == allowed) if exact else (changed <= allowed)).all(), f"not the share {share} was changed"
    assert attacked.min() >= 0 and attacked.max() < vocabulary_size, "a token outside the vocabulary"


def attack(network: Network, data: Path, facts: LanguageFacts, options: LanguageAttack) -> AttackResult:
    """Perplexity under every attack and share: scores (flat), rows (method, share, what of it was `changed` indeed,
    perplexity) and examples (texts).

    HotFlip follows the gradient of an embedding: it is not made on a network without one.
    """
    inputs, targets = _choose(data, facts.start, options.excerpts, options.length)
    vocabulary = files.read_json(data / "vocabulary.json")
    rows: list[dict[str, Any]] = []
    texts = {"clean": inputs}
    for share in sorted(options.shares):
        for method in _methods(network):
            attacked = _attacked(method, network, inputs, targets, share, vocabulary)
            row = {"method": method, "share": share, "changed": float((attacked != inputs).double().mean())}
            rows.append(row | {"perplexity": _perplexity(network, attacked, targets)})
            if share == _shown(options.shares):
                texts[method] = attacked
    scores = {f"perplexity_{row['method']}_{row['share']:g}": row["perplexity"] for row in rows}
    scores |= {"perplexity_clean": _perplexity(network, inputs, targets), "tokens": targets.numel()}
    examples = {name: np.array(as_text(ids[0].tolist(), vocabulary, facts)) for name, ids in texts.items()}
    return AttackResult(scores, pd.DataFrame(rows), examples | {"share": np.array(_shown(options.shares))})


def _methods(network: Network) -> list[str]:
    return [method for method in ATTACKS if isinstance(network, Recurrent) or method != "hotflip"]


def _attacked(
    method: str, network: Network, inputs: Tensor, targets: Tensor, share: float, vocabulary: Words
) -> Tensor:
    """The inputs after an attack that kept to its rules."""
    generator = torch.Generator().manual_seed(1)
    attacked = ATTACKS[method](network, inputs, targets, share=share, generator=generator, vocabulary=vocabulary)
    verify(inputs, attacked, share=share, vocabulary_size=network.vocabulary_size, exact=method in EXACT)
    return attacked


def _shown(shares: list[float]) -> float:
    """The middle one of the shares: enough to see, little enough to read."""
    return sorted(shares)[len(shares) // 2]


def _choose(data: Path, start: int, excerpts: int, length: int) -> tuple[Tensor, Tensor]:
    """Pieces of the test text, spread evenly over it; each read from a fresh state. ValueError if it is too short."""
    tokens = np.concatenate(([start], prepared.load_array(data, "test"))).astype(np.int64)
    if len(tokens) <= length:
        raise ValueError(f"attack.length {length} is more than the test text's {len(tokens) - 1} tokens")
    begins = np.linspace(0, len(tokens) - length - 1, excerpts).astype(int)
    pieces = torch.from_numpy(np.stack([tokens[begin : begin + length + 1] for begin in begins])).to(device())
    return pieces[:, :-1].contiguous(), pieces[:, 1:].contiguous()


@torch.inference_mode()
def _perplexity(network: Network, inputs: Tensor, targets: Tensor) -> float:
    size = _texts_at_once(network, inputs)
    pieces = zip(inputs.split(size), targets.split(size), strict=True)
    return float(torch.cat([network.nats(*piece)[0] for piece in pieces]).double().mean().exp())

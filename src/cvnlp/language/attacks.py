"""Changed words before it: how much worse a text is predicted when part of what is read was replaced.

Each attack is (network, inputs, targets, ...) -> attacked inputs, all int64 (B, T): a share of the tokens that the
model reads is replaced, what it has to predict stays. `verify` holds each attack to that share.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvnlp import files, prepared
from cvnlp.language.evaluation import as_text, cross_entropy
from cvnlp.language.models import Network, Recurrent
from cvnlp.networks import device


def random_replacement(
    network: Network,
    inputs: Tensor,
    targets: Tensor,
    *,
    share: float,
    generator: torch.Generator,
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
    generator: torch.Generator | None = None,
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


ATTACKS: dict[str, Callable[..., Tensor]] = {"random": random_replacement, "hotflip": hotflip}


def _changes(share: float, length: int) -> int:
    return int(share * length + 1e-9)


def _promises(network: Recurrent, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The largest promised rise of the loss at every place (B, T), and the token that promises it."""
    embedded = network.embed(tokens).detach().requires_grad_()
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
        logits, _ = network.forward_embedded(embedded)
    gradient = torch.autograd.grad(cross_entropy(logits, targets).sum(), embedded)[0]
    with torch.no_grad():
        every = network.embed(torch.arange(network.vocabulary_size, device=tokens.device))
        promise = gradient @ every.T - (gradient * embedded).sum(2, keepdim=True)
        promise[..., 0] = -torch.inf  # the unknown token is no token to write
        promise.scatter_(2, tokens[..., None], -torch.inf)
    values = promise.max(2)
    return values.values, values.indices


def verify(inputs: Tensor, attacked: Tensor, *, share: float, vocabulary_size: int) -> None:
    """AssertionError if an attack broke its own rules."""
    assert attacked.shape == inputs.shape
    assert ((attacked != inputs).sum(1) == _changes(share, inputs.shape[1])).all(), (
        f"not the share {share} was replaced"
    )
    assert attacked.min() >= 0 and attacked.max() < vocabulary_size, "a token outside the vocabulary"


def attack(
    network: Network, data: Path, facts: dict[str, Any], options: dict[str, Any]
) -> tuple[dict[str, float], list[dict[str, Any]], dict[str, np.ndarray]]:
    """Perplexity under every attack and share: scores (flat), rows (method, share, perplexity) and examples (texts).

    HotFlip follows the gradient of an embedding: a network without one is attacked by chance alone.
    """
    inputs, targets = _choose(data, facts["start"], options["excerpts"], options["length"])
    rows: list[dict[str, Any]] = []
    texts = {"clean": inputs}
    methods = ATTACKS if isinstance(network, Recurrent) else {"random": random_replacement}
    for share in sorted(options["shares"]):
        for method, function in methods.items():
            attacked = function(network, inputs, targets, share=share, generator=torch.Generator().manual_seed(1))
            verify(inputs, attacked, share=share, vocabulary_size=network.vocabulary_size)
            rows.append({"method": method, "share": share, "perplexity": _perplexity(network, attacked, targets)})
            if share == _shown(options["shares"]):
                texts[method] = attacked
    scores = {f"perplexity_{row['method']}_{row['share']:g}": row["perplexity"] for row in rows}
    scores |= {"perplexity_clean": _perplexity(network, inputs, targets), "tokens": targets.numel()}
    vocabulary = files.read_json(data / "vocabulary.json")
    examples = {name: np.array(as_text(ids[0].tolist(), vocabulary, facts)) for name, ids in texts.items()}
    return scores, rows, examples | {"share": np.array(_shown(options["shares"]))}


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
    logits, _ = network(inputs)
    return float(cross_entropy(logits, targets).double().mean().exp())

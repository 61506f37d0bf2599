"""HotFlip: replace the tokens whose replacement raises the loss most to first order (Ebrahimi et al. 2018)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cvnlp.language.attacks.checks import token_budget
from cvnlp.language.inference.scoring import texts_per_batch
from cvnlp.language.models import Network, Recurrent


def hotflip(
    network: Network,
    inputs: Tensor,
    targets: Tensor,
    *,
    share: float,
    generator: torch.Generator,
    vocabulary: Sequence[str],
    rounds: int = 4,
    batch_size: int | None = None,
) -> Tensor:
    """Replace a share of the tokens of each text (B, T) by the gradient of the summed loss at the embedded inputs.

    Replacing token a by b changes the loss by about (e_b - e_a) . dL/de_a. The best b of every place is found and the
    best places are changed, in some `rounds` with a new gradient, because the estimate holds only near the text. The
    logits of `batch_size` texts are in memory together (as many as fit if not given). ValueError for a network without
    an embedding.
    """
    if not isinstance(network, Recurrent):
        raise ValueError(f"hotflip needs the gradient at an embedding, which {type(network).__name__} does not have")
    size = batch_size or texts_per_batch(network, inputs.shape[1])
    budget, attacked, changed = token_budget(share, inputs.shape[1]), inputs, torch.zeros_like(inputs, dtype=torch.bool)
    for number in range(rounds):
        due = budget * (number + 1) // rounds - budget * number // rounds
        if not due:
            continue
        rise, best = _best_replacements(network, attacked, targets, size)
        places = rise.masked_fill(changed, -torch.inf).topk(due, dim=1).indices
        attacked = attacked.scatter(1, places, best.gather(1, places))
        changed = changed.scatter(1, places, True)
    return attacked


def _best_replacements(network: Recurrent, tokens: Tensor, targets: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The largest estimated rise of the loss at every place (B, T), and the token that causes it."""
    embedded = network.embed(tokens).detach().requires_grad_()
    gradient = _input_gradient(network, embedded, targets, size)
    with torch.no_grad():
        every = network.embed(torch.arange(network.vocabulary_size, device=tokens.device))
        batches = zip(tokens.split(size), gradient.split(size), embedded.split(size), strict=True)
        rises, best = zip(*(_best_of_batch(every, *batch) for batch in batches), strict=True)
    return torch.cat(rises), torch.cat(best)


def _input_gradient(network: Recurrent, embedded: Tensor, targets: Tensor, size: int) -> Tensor:
    """Gradient of the summed loss at the embedded inputs (B, T, D); through the output layer `size` texts at a time."""
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
        outputs, _ = network.forward_layers(embedded)
    at_outputs = []
    for part, of_part in zip(outputs.detach().split(size), targets.split(size), strict=True):
        part.requires_grad_()
        at_outputs += torch.autograd.grad(network.output.nats(part, of_part).sum(), part)
    return torch.autograd.grad(outputs, embedded, torch.cat(at_outputs))[0]


def _best_of_batch(every: Tensor, tokens: Tensor, gradient: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
    """As _best_replacements; `every` (V, D): all tokens, embedded."""
    rise = gradient @ every.T - (gradient * embedded).sum(2, keepdim=True)
    rise[..., 0] = -torch.inf  # the unknown token cannot be written
    rise.scatter_(2, tokens[..., None], -torch.inf)
    values, indices = rise.max(2)
    return values, indices

"""How far back a model looks: by the gradient of a loss, and by what it loses when it may read only a little."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp.language.models import Network, Recurrent
from cvnlp.language.models.output import cross_entropy

GENTLE = 1e-30  # what a gradient that has vanished altogether counts, for a logarithmic axis
AT_ONCE = 64  # excerpts: the logits of all their tokens are in memory together


def gradient_norms(network: Recurrent, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """The norm of dL/dx k steps back, relative to that of the last input: (T,), by k from 0 on.

    L is the loss of the token after the excerpt alone, x the embedded input; the mean over excerpts (N, T), each read
    from a fresh state. Bengio et al. 1994: in a plain recurrent network it falls with k like a power.
    """
    pieces = zip(inputs.split(AT_ONCE), targets.split(AT_ONCE), strict=True)
    norms = torch.cat([_norms(network, *piece) for piece in pieces]).mean(0).flip(0).cpu().numpy()
    return np.maximum(norms / max(norms[0], GENTLE), GENTLE)


def _norms(network: Recurrent, inputs: Tensor, targets: Tensor) -> Tensor:
    """The norm of the gradient at every input (N, T)."""
    embedded = network.embed(inputs).detach().requires_grad_()
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
        outputs, _ = network.read(embedded)
    loss = network.output.nats(outputs[:, -1:], targets[:, None]).sum()
    return torch.autograd.grad(loss, embedded)[0].double().norm(dim=2)


@torch.inference_mode()
def context_losses(network: Network, inputs: Tensor, targets: Tensor) -> pd.DataFrame:
    """Nats of the token after the excerpt when only its last 1, 2, 4, ... tokens are read, from a fresh state."""
    lengths = [length for length in (2**power for power in range(20)) if length <= inputs.shape[1]]
    pieces = list(zip(inputs.split(AT_ONCE), targets.split(AT_ONCE), strict=True))
    nats = [sum(_nats(network, read[:, -length:], after) for read, after in pieces) for length in lengths]
    return pd.DataFrame({"tokens": lengths, "nats": np.array(nats) / len(targets)})


def _nats(network: Network, inputs: Tensor, targets: Tensor) -> float:
    if isinstance(network, Recurrent):  # the output layer is asked for the last token alone
        outputs, _ = network.hidden(inputs)
        return float(network.output.nats(outputs[:, -1:], targets[:, None]).double().sum())
    logits, _ = network(inputs)
    return float(cross_entropy(logits[:, -1:], targets[:, None]).double().sum())

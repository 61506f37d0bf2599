"""Averages of a network's weights over the steps of a training: EMA, SWA and NT-ASGD."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn


def make_average(network: nn.Module, *, average: str, decay: float | None) -> AveragedModel | None:
    """A copy of the network for the average of its weights; None for `average: none`.

    With a `decay` the average is exponential (ema), without one it is the plain mean (swa, nt_asgd).
    """
    if average == "none":
        return None
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay) if decay else get_swa_multi_avg_fn())
    averaged.requires_grad_(False)
    return averaged


def non_monotonic_trigger(scores: Sequence[float], interval: int) -> bool:
    """Whether the last of `scores` (lower is better) is worse than one of more than `interval` epochs before it.

    NT-ASGD starts averaging then. This is the condition of the published program; the pseudocode of the paper compares
    with the last `interval` scores instead (Merity et al. 2018).
    """
    earlier = scores[: -1 - interval]
    return bool(earlier) and scores[-1] > min(earlier)


def update_batch_norm(network: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Recompute the running means and variances of batch normalisation from `inputs`, for averaged weights.

    The statistics of the averaged networks are not those of their average (Izmailov et al. 2018). Without such layers
    no input is read. torch's random state is left unchanged.
    """
    with torch.random.fork_rng():
        update_bn(inputs, network)

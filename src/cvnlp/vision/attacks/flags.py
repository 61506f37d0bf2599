"""Signs that a robustness evaluation overstates the robustness of a network.

They are those of AutoAttack (Croce and Hein 2020), of Athalye et al. 2018, and of Carlini et al. 2019. A raised flag
means that attacks by gradients are unreliable for this network; the worst case over all attacks is still an upper bound
of its robust accuracy, but a loose one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import Norm, PgdOptions
from cvnlp.vision.attacks.evaluations import evaluate, is_correct, outputs_of
from cvnlp.vision.attacks.gradient import pgd
from cvnlp.vision.attacks.losses import cross_entropy
from cvnlp.vision.models.ball import Ball

TOLERANCE = 0.01  # of accuracies: a difference of more is a sign
MINIMUM = 2  # images, of which a difference must consist
VANISHED = 0.1  # share of images without a gradient of the cross entropy
SURVIVORS = 0.1  # share of images that may survive an eps at which every image can become plain grey
GREY = 0.5  # that eps, in linf
STEPS = 20


@dataclass(frozen=True)
class Flag:
    """`value`: what was measured; the flag is raised if it exceeds `limit`."""

    name: str
    value: float
    limit: float
    meaning: str

    @property
    def raised(self) -> bool:
        return self.value > self.limit


def flags_of_network(network: nn.Module, images: Tensor, labels: Tensor, *, norm: Norm) -> list[Flag]:
    """Flags that need no attack of the run, from a sample of images that are classified correctly."""
    outputs = outputs_of(network, images)
    return [
        Flag(
            "randomised_output",
            float((outputs - outputs_of(network, images)).abs().max()),
            1e-5,
            "two evaluations of the same images differ: attacks need the mean over the randomness",
        ),
        Flag(
            "probabilities",
            float(_are_probabilities(outputs)),
            0.0,
            "the outputs are probabilities instead of logits: gradients vanish where the network is certain",
        ),
        Flag(
            "zero_gradients",
            _share_without_gradient(network, images, labels),
            VANISHED,
            "share of images at which the cross entropy has no gradient: PGD and FGSM cannot find their way",
        ),
        Flag(
            "large_eps_survivors",
            _survivors(network, images, labels, norm),
            SURVIVORS,
            "share of images that PGD cannot break even where every image may become plain grey",
        ),
        Flag(
            "eps_0_changes",
            _change_at_zero(network, images, labels, norm),
            0.0,
            "largest change of a pixel by PGD at eps 0",
        ),
    ]


def flags_of_attacks(pgd_accuracies: Sequence[float], *, black_box_gain: float, images: int) -> list[Flag]:
    """Flags from the results. `pgd_accuracies`: by rising eps.

    `black_box_gain`: the largest share of images that an attack without gradients has broken after all others failed.
    """
    limit = max(TOLERANCE, (MINIMUM - 0.5) / images)
    rises = [after - before for before, after in pairwise(pgd_accuracies)]
    return [
        Flag(
            "black_box_stronger",
            black_box_gain,
            limit,
            "share of images that only an attack without gradients has broken: gradients do not lead to the worst case",
        ),
        Flag(
            "larger_eps_weaker", max(rises, default=0.0), limit, "gain of accuracy under PGD from one eps to the next"
        ),
    ]


def flag_of_effort(network: nn.Module, images: Tensor, labels: Tensor, ball: Ball, *, steps: int, total: int) -> Flag:
    """From images that have survived all attacks: whether PGD with twice the steps, and restarts, breaks more."""
    gain = 0.0
    if len(images):
        options = PgdOptions(steps=2 * steps, restarts=2)
        attacked = pgd(network, images, labels, ball, options, generator=torch.Generator().manual_seed(2))
        gain = float((~is_correct(network, attacked, labels)).sum()) / total
    limit = max(TOLERANCE, (MINIMUM - 0.5) / total)
    return Flag("effort_still_gains", gain, limit, "share of images that PGD breaks with twice the steps and restarts")


def flag_of_storage(differing: int) -> Flag:
    """`differing`: images whose class on the stored pictures is not the one that was scored."""
    return Flag("not_reproduced", float(differing), 0.0, "stored pictures whose predicted class is another one")


def _are_probabilities(outputs: Tensor) -> bool:
    sums = outputs.sum(1)
    return bool((outputs >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3))


def _share_without_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    found = evaluate(network, images, lambda outputs: cross_entropy(outputs, labels))
    return 1 - float(found.gradient.flatten(1).any(1).float().mean())


def _survivors(network: nn.Module, images: Tensor, labels: Tensor, norm: Norm) -> float:
    eps = GREY if norm == "linf" else GREY * float(images[0].numel()) ** 0.5
    attacked = _pgd(network, images, labels, Ball(norm, eps))
    return float(is_correct(network, attacked, labels).float().mean())


def _change_at_zero(network: nn.Module, images: Tensor, labels: Tensor, norm: Norm) -> float:
    return float((_pgd(network, images, labels, Ball(norm, 0.0)) - images).abs().max())


def _pgd(network: nn.Module, images: Tensor, labels: Tensor, ball: Ball) -> Tensor:
    return pgd(network, images, labels, ball, PgdOptions(steps=STEPS), generator=torch.Generator().manual_seed(1))

"""Transfer: images attacked for one classifier, shown to the others of the same data set.

A transferred image that breaks a network whose own attack failed on that image shows that this attack was too weak.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.params.option_types import number_key
from cvnlp.vision.inference import predict_classes

FILES = ("attacked", "rows", "labels", "eps")  # of a run that takes part, as .npy
SETTING = ["dataset", "norm", "eps"]
PAIRS = [*SETTING, "source", "target", "accuracy"]
GAINS = [*SETTING, "target", "own_accuracy", "transferred_accuracy", "broken_by_transfer_alone"]


@dataclass(frozen=True)
class AttackedRun:
    """The stored result of an attack: `images` float32 (N, eps, H, W, C) in [0, 1] with `labels` (N,).

    `rows` (N,): their row numbers in the test split; `eps`: the strengths, one per second index of `images`.
    """

    dataset: str
    norm: str
    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    eps: tuple[float, ...]

    def at(self, eps: float) -> Tensor:
        """The images (N, C, H, W) attacked at one of the strengths."""
        return torch.from_numpy(np.array(self.images[:, self.eps.index(eps)])).permute(0, 3, 1, 2)

    def comparable(self, other: "AttackedRun") -> bool:
        """Whether both attack the same images in the same norm."""
        same = (self.dataset, self.norm) == (other.dataset, other.norm) and np.array_equal(self.rows, other.rows)
        return same and np.array_equal(self.labels, other.labels) and self.images.shape[2:] == other.images.shape[2:]


def read_attacked(folder: Path, *, dataset: str, norm: str) -> AttackedRun | None:
    """What the stage `attack` has stored of a run; None for a run without attacked images."""
    if not all((folder / f"{name}.npy").is_file() for name in FILES):
        return None
    images, rows, labels, eps = (prepared.load_array(folder, name) for name in FILES)
    return AttackedRun(dataset, norm, images, rows, labels.astype(np.int64), tuple(map(float, eps)))


def transfer_matrix(networks: Mapping[str, nn.Module], attacked: Mapping[str, Tensor], labels: Tensor) -> pd.DataFrame:
    """Columns source, target, accuracy: of each target network on the images (N, C, H, W) attacked for each source.

    `labels` int64 (N,) of the images, which are the same before the attacks. Where both are the same run, the accuracy
    is that under its own attack.
    """
    return _pairs(_standing(networks, attacked, labels))


def transfer_tables(
    runs: Mapping[str, AttackedRun], load: Callable[[str], nn.Module]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The accuracies of all pairs of comparable runs (columns PAIRS), and what transfer adds to each target (GAINS).

    Gains: accuracy under the own attack, in the worst case of the images of all other sources, and the share of images
    that the own attack left classified correctly and a transferred image breaks. `load` returns the network of a run.
    """
    pairs, gains = [pd.DataFrame(columns=PAIRS)], [pd.DataFrame(columns=GAINS)]
    for group in _groups(runs):
        networks = {run: load(run) for run in group}
        for eps, members in _strengths({run: runs[run] for run in group}):
            first = runs[members[0]]
            attacked = {run: runs[run].at(eps) for run in members}
            labels = torch.tensor(first.labels)
            standing = _standing({run: networks[run] for run in members}, attacked, labels)
            setting = {"dataset": first.dataset, "norm": first.norm, "eps": number_key(eps)}
            pairs.append(_pairs(standing).assign(**setting)[PAIRS])
            gains.append(_gains(standing).assign(**setting)[GAINS])
    return _joined(pairs), _joined(gains)


def _groups(runs: Mapping[str, AttackedRun]) -> list[list[str]]:
    """Two or more runs each that are comparable, in the order of the runs."""
    groups: list[list[str]] = []
    for name, run in runs.items():
        fitting = next((group for group in groups if runs[group[0]].comparable(run)), None)
        if fitting is None:
            groups.append([name])
        else:
            fitting.append(name)
    return [group for group in groups if len(group) > 1]


def _strengths(group: Mapping[str, AttackedRun]) -> Iterator[tuple[float, Sequence[str]]]:
    """Every strength at which two or more runs of a group were attacked, and these runs."""
    for eps in sorted({eps for run in group.values() for eps in run.eps}):
        members = [name for name, run in group.items() if eps in run.eps]
        if len(members) > 1:
            yield eps, members


Standing = Mapping[tuple[str, str], Tensor]  # (source, target) -> which images (N,) are classified correctly


def _standing(networks: Mapping[str, nn.Module], attacked: Mapping[str, Tensor], labels: Tensor) -> Standing:
    return {
        (source, target): predict_classes(network, images).cpu() == labels.cpu()
        for source, images in attacked.items()
        for target, network in networks.items()
    }


def _pairs(standing: Standing) -> pd.DataFrame:
    rows = [(*pair, float(correct.double().mean())) for pair, correct in standing.items()]
    return pd.DataFrame(rows, columns=["source", "target", "accuracy"])


def _gains(standing: Standing) -> pd.DataFrame:
    rows = []
    for target in dict.fromkeys(target for _, target in standing):
        others = [correct for (source, to), correct in standing.items() if to == target and source != target]
        own, transferred = standing[target, target], torch.stack(others).all(0)
        shares = (float(correct.double().mean()) for correct in (own, transferred, own & ~transferred))
        rows.append((target, *shares))
    return pd.DataFrame(rows, columns=["target", "own_accuracy", "transferred_accuracy", "broken_by_transfer_alone"])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table; the first one, which is empty, has the columns."""
    return pd.concat(tables[1:], ignore_index=True) if len(tables) > 1 else tables[0]

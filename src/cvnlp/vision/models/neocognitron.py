"""The neocognitron: layers of S-cells, which find features, and of C-cells, which blur them, learned without gradients.

Fukushima, Biological Cybernetics 36 (1980); Neural Networks 1 (1988); Neurocomputing 51 (2003). From these are taken:
contrast cells before the first stage; templates that all cells of a plane share; inhibition by the root mean square of
the inputs, and a threshold; C-cells that saturate; seed cells, which win a competition, and a new plane where all cells
are silent; a higher threshold while learning; one stage after the other; labelled cell planes at the top.

Simplified against them: the constant of an S-cell is small, so that it measures the angle between input and template;
the first stage's edges are drawn, not trained; one seed cell a plane in each picture, taken for all pictures of a batch
at once; no inhibitory surround of C-cells (2003); every C-layer is half as fine as its S-layer, and there may be fewer
stages than the four of the papers; the highest S-cells see all of the last C-layer from a single place and have no
threshold; a class's best answer is multiplied by a constant, to be a logit.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import NeocognitronOptions
from cvnlp.vision.models.classifier import Classifier

SILENCE = 0.02  # the inhibition at which an S-cell gives half of its largest answer: noise stays unheard
SATURATION = 0.25  # the blurred input at which a C-cell gives half of its largest answer
FAINT = 0.2  # share of the strongest inhibition in a batch below which there is nothing to learn from


class Neocognitron(Classifier):
    """Contrast, a stage of edges, a stage for each number of `planes`, and cells with labels: S and C in each stage.

    The numbers of planes, and of `prototypes` (all labelled planes), are the most that learning can make. Each epoch
    of `learn` trains one stage, from the lowest up, and from `min_epochs` on the highest. `threshold` and
    `learning_threshold` are cosines. A stage that has not yet learned answers by templates of chance.
    """

    layers: nn.Sequential

    def __init__(self, images: ImageFormat, options: NeocognitronOptions) -> None:
        super().__init__(images)
        _check(images.classes, options.prototypes)
        channels = images.shape[2]
        contrast = Contrast(channels)
        counts = [2 * channels, options.first_planes, *options.planes]
        thresholds = (options.threshold, options.learning_threshold)
        simple = [SLayer(*pair, options.field, *thresholds) for pair in itertools.pairwise(counts)]
        size = tuple(math.ceil(side / 2 ** len(simple)) for side in images.shape[:2])
        top = Recognition(counts[-1], options.prototypes, size, images.classes, options.sharpness)
        pairs = [layer for s in simple for layer in (s, CLayer(len(s.templates), options.blur))]
        self.layers = nn.Sequential(contrast, *pairs, top)
        self.learners: list[SLayer | Recognition] = [*simple, top]
        if options.first == "edges":
            edges = self.learners.pop(0)
            edges.templates.copy_(draw_edges(options.first_planes, contrast, options.field))
            edges.count.fill_(options.first_planes)
        self.min_epochs = len(self.learners)

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, *, epoch: int) -> None:
        """From one batch of the epoch with that number, counted from 0."""
        learner = self.learners[min(epoch, len(self.learners) - 1)]
        if not learner.count:
            learner.templates.zero_()
        below = itertools.takewhile(lambda layer: layer is not learner, self.layers)
        with torch.autocast(images.device.type, enabled=False):
            learner.learn(nn.Sequential(*below)((images - self.mean) / self.std), labels)

    def feature_layers(self) -> list[tuple[str, nn.Module]]:
        """The layers whose outputs are maps (B, planes, H, W), in order, by their names in the papers."""
        contrast, *pairs = list(self.layers)[:-1]
        names = [f"stage{number // 2 + 1}.{'SC'[number % 2]}" for number in range(len(pairs))]
        return [("contrast", contrast), *zip(names, pairs, strict=True)]


class Contrast(nn.Module):
    """On- and off-centre cells of every channel, (B, C, H, W) -> (B, 2 C, H, W): brighter or darker than around."""

    centre: Tensor
    surround: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, width in {"centre": 0.8, "surround": 1.6}.items():
            self.register_buffer(name, gaussian(7, width).expand(channels, 1, 7, 7).clone())

    def forward(self, images: Tensor) -> Tensor:
        difference = self._mean(images, self.centre) - self._mean(images, self.surround)
        return torch.cat([F.relu(difference), F.relu(-difference)], dim=1)

    def _mean(self, images: Tensor, kernel: Tensor) -> Tensor:
        """Over the pixels that there are: the picture's border is no edge."""
        within = F.conv2d(torch.ones_like(images[:1]), kernel, padding=3, groups=len(kernel))
        return F.conv2d(images, kernel, padding=3, groups=len(kernel)) / within


class SCells(nn.Module):
    """Cell planes whose cells answer an input (B, inputs, H, W) as it resembles the plane's template, from 0 to 1.

    With excitation e = sum c a u and inhibition v = sqrt(sum c u^2), of inputs u, weights c of sum 1 and a template a
    made so long that e is at most v, the answer is max(0, e - threshold v) / ((1 - threshold) (v + SILENCE)).
    """

    weights: Tensor
    count: Tensor

    def __init__(self, inputs: int, planes: int, field: tuple[int, ...], threshold: float, padding: int) -> None:
        super().__init__()
        self.threshold, self.padding = threshold, padding
        # parameters, as they are learned, though not by gradients; a plane that is not in use is 0 once learning began
        self.templates = nn.Parameter(torch.rand(planes, inputs, *field), requires_grad=False)
        self.register_buffer("weights", torch.full((1, inputs, *field), 1 / (inputs * math.prod(field))))
        self.register_buffer("count", torch.tensor(0))  # of the planes in use

    def forward(self, inputs: Tensor) -> Tensor:
        excitation, inhibition = self.measure(inputs)
        threshold = self.threshold * (self.count > 0)  # templates of chance resemble nothing: none would answer
        return F.relu(excitation - threshold * inhibition) / ((1 - threshold) * (inhibition + SILENCE))

    def measure(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Excitation (B, planes, H, W) and inhibition (B, 1, H, W)."""
        length = (self.weights * self.templates**2).sum((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
        excitation = F.conv2d(inputs, self.weights * self.templates / length, padding=self.padding)
        # the constant keeps the gradient of the root finite where there is no input
        inhibition = (F.conv2d(inputs**2, self.weights, padding=self.padding) + 1e-12).sqrt()
        return excitation, inhibition

    def add(self, template: Tensor) -> None:
        self.templates[int(self.count)] = template.reshape(self.templates.shape[1:])
        self.count += 1

    @property
    def full(self) -> bool:
        return int(self.count) == len(self.templates)


class SLayer(SCells):
    """S-cells that learn without labels: the winner takes all, and where all are silent a new plane begins."""

    def __init__(self, inputs: int, planes: int, field: int, threshold: float, learning_threshold: float) -> None:
        super().__init__(inputs, planes, (field, field), threshold, padding=field // 2)
        self.field, self.learning_threshold = field, learning_threshold

    def learn(self, inputs: Tensor, labels: Tensor) -> None:
        patches = F.unfold(inputs, self.field, padding=self.padding)  # (B, inputs * field, places)
        excitation, inhibition = (measured.flatten(2) for measured in self.measure(inputs))
        active = inhibition > FAINT * inhibition.max().clamp(min=SILENCE)
        patches = torch.where(active, patches / inhibition, 0.0)
        silent = active & (excitation.amax(1, keepdim=True) < self.learning_threshold * inhibition)
        self._begin_planes(patches, torch.where(silent, inhibition, 0.0)[:, 0])
        self._strengthen(patches)

    def _begin_planes(self, patches: Tensor, unheard: Tensor) -> None:
        """Take over the strongest input (`unheard`: B, places) that no plane answers, as long as there is one."""
        while not self.full and unheard.any():
            picture, place = divmod(int(unheard.argmax()), unheard.shape[1])
            seed = patches[picture, :, place]
            self.add(seed)
            likeness = torch.einsum("bip,i->bp", patches, seed * self.weights.flatten())
            unheard = torch.where(likeness < self.learning_threshold, unheard, 0.0)

    def _strengthen(self, patches: Tensor) -> None:
        """Add to each template the input of its seed cell: the plane's best place among those where it is the best."""
        templates = F.normalize(self.templates.flatten(1))
        answers = torch.einsum("ki,bip->bkp", templates, patches)
        best, places = torch.where(answers >= answers.amax(1, keepdim=True), answers, 0.0).max(2)  # (B, planes)
        seeds = patches.gather(2, places[:, None].expand(-1, patches.shape[1], -1))  # (B, inputs * field, planes)
        self.templates.add_(torch.einsum("bik,bk->ki", seeds, (best > 0).to(seeds)).reshape(self.templates.shape))


class CLayer(nn.Module):
    """C-cells: each blurs the answers of one plane, at every second place in both directions, and saturates."""

    kernel: Tensor

    def __init__(self, planes: int, size: int) -> None:
        super().__init__()
        self.register_buffer("kernel", gaussian(size, size / 4).expand(planes, 1, size, size).clone())

    def forward(self, inputs: Tensor) -> Tensor:
        padding = self.kernel.shape[-1] // 2
        blurred = F.conv2d(inputs, self.kernel, stride=2, padding=padding, groups=len(self.kernel))
        return blurred / (SATURATION + blurred)


class Recognition(SCells):
    """The highest S-cells, each with the label of a class, and for every class its best answer."""

    labels: Tensor

    def __init__(self, inputs: int, planes: int, field: tuple[int, ...], classes: int, sharpness: float) -> None:
        super().__init__(inputs, planes, field, threshold=0.0, padding=0)
        self.classes, self.sharpness = classes, sharpness
        self.register_buffer("labels", torch.arange(planes) % classes)

    def forward(self, inputs: Tensor) -> Tensor:
        answers = super().forward(inputs).flatten(1)
        own = self.labels == torch.arange(self.classes, device=self.labels.device)[:, None]
        return self.sharpness * torch.where(own, answers[:, None], 0.0).amax(2)

    def learn(self, inputs: Tensor, labels: Tensor) -> None:
        """Picture by picture: the winner is strengthened if its label is right; if it is wrong, a new plane begins."""
        directions = F.normalize(self.templates.flatten(1))
        for picture, label in zip(F.normalize(inputs.flatten(1)), labels, strict=True):
            winner = int((directions @ picture).argmax())
            if self.count and self.labels[winner] == label:
                self.templates[winner] += picture.reshape(self.templates.shape[1:])
            elif picture.any() and not self.full:
                winner = int(self.count)
                self.add(picture)
                self.labels[winner] = label
            directions[winner] = F.normalize(self.templates[winner].flatten(), dim=0)


def gaussian(size: int, width: float) -> Tensor:
    """(size, size), of standard deviation `width` and sum 1."""
    line = torch.exp(-(((torch.arange(size) - (size - 1) / 2) / width) ** 2) / 2)
    return torch.outer(line, line) / line.sum() ** 2


def draw_edges(count: int, contrast: Contrast, field: int) -> Tensor:
    """What the contrast cells in the middle (count, 2 C, field, field) answer to edges turned by equal steps."""
    angles = torch.arange(count).view(-1, 1, 1) * (2 * math.pi / count)
    place = torch.arange(field + 8) - (field + 7) / 2
    distance = torch.cos(angles) * place + torch.sin(angles) * place[:, None]
    edges = distance.clamp(-0.5, 0.5)[:, None].repeat(1, len(contrast.centre), 1, 1)
    return contrast(edges)[..., 4:-4, 4:-4]


def _check(classes: int, prototypes: int) -> None:
    if prototypes < classes:
        raise ValueError(f"model.prototypes: {prototypes} cannot represent {classes} classes; take more")

"""The neocognitron: layers of S-cells, which detect features, and C-cells, which blur them, trained without gradients.

Fukushima, Biological Cybernetics 36 (1980); Neural Networks 1 (1988); Neurocomputing 51 (2003). As in these papers:
contrast cells before the first stage; templates shared by all cells of a plane; inhibition by the root mean square of
the inputs, and a threshold; saturating C-cells; seed cells that win a competition; a new plane where no cell responds;
a higher threshold while learning; stages trained one after the other; labelled cell planes in the last layer.

Simplifications: the constant of an S-cell is small, so that it measures the angle between input and template; the
edges of the first stage are computed, not trained; there is one seed cell per plane and image, for all images of a
batch at once; C-cells have no inhibitory surround (2003); every C-layer halves the resolution of its S-layer; there may
be fewer stages than the four of the papers; the S-cells of the last layer cover all of the last C-layer at a single
position, without a threshold; the largest response of a class is multiplied by a constant to give its logit.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import NeocognitronOptions
from cvnlp.vision.models.classifier import Classifier

SEMI_SATURATION = 0.02  # inhibition at which an S-cell has half of its largest response: it suppresses noise
SATURATION = 0.25  # blurred input at which a C-cell has half of its largest response
MIN_INHIBITION = 0.2  # fraction of the strongest inhibition in a batch below which nothing is learned


class Neocognitron(Classifier):
    """Contrast cells, a stage of edges, a stage for each number of `planes`, and labelled cells; S and C in each stage.

    The numbers of planes and `prototypes` (labelled planes) are upper limits. Each epoch of `learn` trains one stage,
    from the lowest up, and every epoch from number `min_epochs` on the last one. A stage that has not yet been trained
    has random templates.
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
        """Train the stage of this `epoch`, counted from 0, on one batch."""
        learner = self.learners[min(epoch, len(self.learners) - 1)]
        if not learner.count:
            learner.templates.zero_()
        below = itertools.takewhile(lambda layer: layer is not learner, self.layers)
        with torch.autocast(images.device.type, enabled=False):
            learner.learn(nn.Sequential(*below)((images - self.mean) / self.std), labels)

    def feature_layers(self) -> list[tuple[str, nn.Module]]:
        """The layers whose outputs are maps (B, planes, H, W), in order, with their names in the papers."""
        contrast, *pairs = list(self.layers)[:-1]
        names = [f"stage{number // 2 + 1}.{'SC'[number % 2]}" for number in range(len(pairs))]
        return [("contrast", contrast), *zip(names, pairs, strict=True)]


class Contrast(nn.Module):
    """On- and off-centre cells of every channel, (B, C, H, W) -> (B, 2 C, H, W): brighter or darker centres."""

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
        """Weighted mean over the pixels within the image, so that its border is not an edge."""
        within = F.conv2d(torch.ones_like(images[:1]), kernel, padding=3, groups=len(kernel))
        return F.conv2d(images, kernel, padding=3, groups=len(kernel)) / within


class SCells(nn.Module):
    """Cell planes that respond to an input (B, inputs, H, W) by its similarity to the plane's template, from 0 to 1.

    With excitation e = sum c a u and inhibition v = sqrt(sum c u^2), for inputs u, weights c with sum 1, and a template
    a scaled so that e is at most v, the response is max(0, e - threshold v) / ((1 - threshold) (v + SEMI_SATURATION)).
    """

    weights: Tensor
    count: Tensor

    def __init__(self, inputs: int, planes: int, field: tuple[int, ...], threshold: float, padding: int) -> None:
        super().__init__()
        self.threshold, self.padding = threshold, padding
        # parameters, because they are learned, though not by gradients; unused planes are 0 once learning has begun
        self.templates = nn.Parameter(torch.rand(planes, inputs, *field), requires_grad=False)
        self.register_buffer("weights", torch.full((1, inputs, *field), 1 / (inputs * math.prod(field))))
        self.register_buffer("count", torch.tensor(0))  # of planes in use

    def forward(self, inputs: Tensor) -> Tensor:
        excitation, inhibition = self.measure(inputs)
        threshold = self.threshold * (self.count > 0)  # random templates are similar to nothing: no cell would respond
        return F.relu(excitation - threshold * inhibition) / ((1 - threshold) * (inhibition + SEMI_SATURATION))

    def measure(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Excitation (B, planes, H, W) and inhibition (B, 1, H, W)."""
        length = (self.weights * self.templates**2).sum((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
        excitation = F.conv2d(inputs, self.weights * self.templates / length, padding=self.padding)
        # the constant keeps the gradient of the root finite where the input is 0
        inhibition = (F.conv2d(inputs**2, self.weights, padding=self.padding) + 1e-12).sqrt()
        return excitation, inhibition

    def add(self, template: Tensor) -> None:
        self.templates[int(self.count)] = template.reshape(self.templates.shape[1:])
        self.count += 1

    @property
    def full(self) -> bool:
        return int(self.count) == len(self.templates)


class SLayer(SCells):
    """S-cells trained without labels: winner takes all, and a new plane starts where no cell responds."""

    def __init__(self, inputs: int, planes: int, field: int, threshold: float, learning_threshold: float) -> None:
        super().__init__(inputs, planes, (field, field), threshold, padding=field // 2)
        self.field, self.learning_threshold = field, learning_threshold

    def learn(self, inputs: Tensor, labels: Tensor) -> None:
        patches = F.unfold(inputs, self.field, padding=self.padding)  # (B, inputs * field, positions)
        excitation, inhibition = (measured.flatten(2) for measured in self.measure(inputs))
        active = inhibition > MIN_INHIBITION * inhibition.max().clamp(min=SEMI_SATURATION)
        patches = torch.where(active, patches / inhibition, 0.0)
        silent = active & (excitation.amax(1, keepdim=True) < self.learning_threshold * inhibition)
        self._start_planes(patches, torch.where(silent, inhibition, 0.0)[:, 0])
        self._strengthen(patches)

    def _start_planes(self, patches: Tensor, unmatched: Tensor) -> None:
        """Make templates of the strongest inputs without a response; `unmatched`: their strength (B, positions)."""
        while not self.full and unmatched.any():
            image, position = divmod(int(unmatched.argmax()), unmatched.shape[1])
            seed = patches[image, :, position]
            self.add(seed)
            similarity = torch.einsum("bip,i->bp", patches, seed * self.weights.flatten())
            unmatched = torch.where(similarity < self.learning_threshold, unmatched, 0.0)

    def _strengthen(self, patches: Tensor) -> None:
        """Add to each template the input of its seed cell: the plane's strongest response where it is the strongest."""
        templates = F.normalize(self.templates.flatten(1))
        responses = torch.einsum("ki,bip->bkp", templates, patches)
        best, positions = torch.where(responses >= responses.amax(1, keepdim=True), responses, 0.0).max(
            2
        )  # (B, planes)
        seeds = patches.gather(2, positions[:, None].expand(-1, patches.shape[1], -1))  # (B, inputs * field, planes)
        self.templates.add_(torch.einsum("bik,bk->ki", seeds, (best > 0).to(seeds)).reshape(self.templates.shape))


class CLayer(nn.Module):
    """C-cells: each blurs the responses of one plane, at every second position in both directions, and saturates."""

    kernel: Tensor

    def __init__(self, planes: int, size: int) -> None:
        super().__init__()
        self.register_buffer("kernel", gaussian(size, size / 4).expand(planes, 1, size, size).clone())

    def forward(self, inputs: Tensor) -> Tensor:
        padding = self.kernel.shape[-1] // 2
        blurred = F.conv2d(inputs, self.kernel, stride=2, padding=padding, groups=len(self.kernel))
        return blurred / (SATURATION + blurred)


class Recognition(SCells):
    """The S-cells of the last layer, each with the label of a class; a class has the largest response of its cells."""

    labels: Tensor

    def __init__(self, inputs: int, planes: int, field: tuple[int, ...], classes: int, sharpness: float) -> None:
        super().__init__(inputs, planes, field, threshold=0.0, padding=0)
        self.classes, self.sharpness = classes, sharpness
        self.register_buffer("labels", torch.arange(planes) % classes)

    def forward(self, inputs: Tensor) -> Tensor:
        responses = super().forward(inputs).flatten(1)
        own = self.labels == torch.arange(self.classes, device=self.labels.device)[:, None]
        return self.sharpness * torch.where(own, responses[:, None], 0.0).amax(2)

    def learn(self, inputs: Tensor, labels: Tensor) -> None:
        """For each image, strengthen the winner if its label is right; otherwise start a new plane."""
        directions = F.normalize(self.templates.flatten(1))
        for image, label in zip(F.normalize(inputs.flatten(1)), labels, strict=True):
            winner = int((directions @ image).argmax())
            if self.count and self.labels[winner] == label:
                self.templates[winner] += image.reshape(self.templates.shape[1:])
            elif image.any() and not self.full:
                winner = int(self.count)
                self.add(image)
                self.labels[winner] = label
            directions[winner] = F.normalize(self.templates[winner].flatten(), dim=0)


def gaussian(size: int, width: float) -> Tensor:
    """A Gaussian kernel (size, size) with standard deviation `width` and sum 1."""
    line = torch.exp(-(((torch.arange(size) - (size - 1) / 2) / width) ** 2) / 2)
    return torch.outer(line, line) / line.sum() ** 2


def draw_edges(count: int, contrast: Contrast, field: int) -> Tensor:
    """Responses of the central contrast cells (count, 2 C, field, field) to edges rotated by equal steps."""
    angles = torch.arange(count).view(-1, 1, 1) * (2 * math.pi / count)
    position = torch.arange(field + 8) - (field + 7) / 2
    distance = torch.cos(angles) * position + torch.sin(angles) * position[:, None]
    edges = distance.clamp(-0.5, 0.5)[:, None].repeat(1, len(contrast.centre), 1, 1)
    return contrast(edges)[..., 4:-4, 4:-4]


def _check(classes: int, prototypes: int) -> None:
    if prototypes < classes:
        raise ValueError(f"model.prototypes: {prototypes} cannot represent {classes} classes; take more")

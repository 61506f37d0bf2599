"""Shared weights: a convolution beside its twin that has weights of its own at every place (locally connected).

While the copies are equal, both give the same maps, and the gradient of a shared weight is the sum of the gradients of
its copies (LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition"): each copy's part is what
would pull it away from the others. All is computed in float64, so that what differs is rounding.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LocallyConnected(nn.Module):
    """weight (h, w, K, C / groups, n, m) and bias (h, w, K): for each place of the map the convolution's, copied."""

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        self.window = {name: getattr(convolution, name) for name in ("kernel_size", "dilation", "stride")}
        self.groups, self.margins = convolution.groups, _margins(convolution)
        self.padding_mode = "constant" if convolution.padding_mode == "zeros" else convolution.padding_mode
        self.places = _map_size(convolution, height, width)
        self.weight = nn.Parameter(_copies(convolution.weight, self.places))
        self.bias = None if convolution.bias is None else nn.Parameter(_copies(convolution.bias, self.places))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K, h, w): at every place its own weights times what they see there."""
        seen = F.unfold(F.pad(pictures, self.margins, mode=self.padding_mode), **self.window)
        seen = seen.unflatten(1, (self.groups, -1))  # (B, groups, C / groups * n * m, h * w)
        weight = self.weight.flatten(3).flatten(0, 1).unflatten(1, (self.groups, -1))
        maps = torch.einsum("bgip,pgki->bgkp", seen, weight).flatten(1, 2).unflatten(2, self.places)
        return maps if self.bias is None else maps + self.bias.permute(2, 0, 1)


def compare_gradients(
    network: nn.Module, pictures: Tensor, labels: Tensor, *, layer: str | None = None
) -> dict[str, float]:
    """One convolution (the first, or the `layer` of that name) against its unshared twin in the same network, flat.

    The gradients are of the mean cross-entropy, with dropout off; the network stays as it is. Differences are the
    largest of all; gradient_largest is what to see them against; copies_apart is how far the gradients of copies of one
    weight lie from each other at most. The twin takes places x parameters of memory: meant for small pictures.
    """
    name = first_convolution(network) if layer is None else layer
    shared = copy.deepcopy(network).cpu().double().eval().requires_grad_()
    pictures, labels = pictures.detach().cpu().double(), labels.cpu()
    unshared, twin = unshare(shared, name, pictures)
    outputs = [_differentiate(model, pictures, labels) for model in (shared, unshared)]
    convolution = _convolution(shared, name)
    sums, copies = _gradients(convolution), [each.flatten(0, 1) for each in _gradients(twin)]
    return {
        "output_difference": _largest([outputs[0] - outputs[1]]),
        "gradient_difference": _largest([one - each.sum(0) for one, each in zip(sums, copies, strict=True)]),
        "gradient_largest": _largest(sums),
        "copies_apart": _largest([each.amax(0) - each.amin(0) for each in copies]),
        **parameter_counts(convolution, *_input_size(shared, name, pictures)),
    }


def parameter_counts(convolution: nn.Conv2d, height: int, width: int) -> dict[str, int]:
    """For an input of `height` x `width`: the convolution, its locally connected twin, and a fully connected layer."""
    down, across = _map_size(convolution, height, width)
    own = sum(parameter.numel() for parameter in convolution.parameters())
    outputs = down * across * convolution.out_channels
    inputs = height * width * convolution.in_channels + (convolution.bias is not None)
    return {
        "places": down * across,
        "parameters_shared": own,
        "parameters_unshared": own * down * across,
        "parameters_fully_connected": inputs * outputs,
    }


def unshare(network: nn.Module, layer: str, pictures: Tensor) -> tuple[nn.Module, LocallyConnected]:
    """A copy of the network with the twin in the place of that layer, for inputs as large as these; and the twin."""
    twin = LocallyConnected(_convolution(network, layer), *_input_size(network, layer, pictures))
    unshared = copy.deepcopy(network)
    unshared.set_submodule(layer, twin)
    return unshared, twin


def first_convolution(network: nn.Module) -> str:
    """The name of the first 2-d convolution within the network, in the order of its layers."""
    names = [name for name, module in network.named_modules() if name and isinstance(module, nn.Conv2d)]
    if not names:
        raise ValueError(f"network: a {type(network).__name__} has no convolution within it")
    return names[0]


def _convolution(network: nn.Module, layer: str) -> nn.Conv2d:
    found = dict(network.named_modules()).get(layer)
    if not layer or not isinstance(found, nn.Conv2d):
        names = [name for name, module in network.named_modules() if name and isinstance(module, nn.Conv2d)]
        raise ValueError(f"layer {layer!r} is none of the network's convolutions: {', '.join(names) or 'it has none'}")
    return found


def _differentiate(network: nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
    """Logits; the gradients are left at the parameters."""
    network.zero_grad()
    logits = network(pictures)
    F.cross_entropy(logits, labels).backward()
    return logits.detach()


def _gradients(layer: nn.Module) -> list[Tensor]:
    """Of the weight, and of the bias if there is one."""
    return [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]


def _input_size(network: nn.Module, layer: str, pictures: Tensor) -> tuple[int, int]:
    """Height and width of what the layer reads when the network reads `pictures`."""
    network = copy.deepcopy(network).eval()  # a copy, so that no running mean is moved
    sizes: set[tuple[int, int]] = set()
    _convolution(network, layer).register_forward_pre_hook(lambda _, inputs: sizes.add(tuple(inputs[0].shape[-2:])))
    with torch.no_grad():
        network(pictures[:1])
    if len(sizes) != 1:
        raise ValueError(f"layer {layer!r}: reads inputs of {len(sizes)} sizes, but a twin is built for one")
    return sizes.pop()


def _margins(convolution: nn.Conv2d) -> list[int]:
    """Left, right, top, bottom, as F.pad takes them; "same" puts the smaller half before, as torch does."""
    spans = [d * (n - 1) for d, n in zip(convolution.dilation, convolution.kernel_size, strict=True)]
    if convolution.padding == "same":
        (top, bottom), (left, right) = [(span // 2, span - span // 2) for span in spans]
        return [left, right, top, bottom]
    down, across = (0, 0) if isinstance(convolution.padding, str) else convolution.padding
    return [across, across, down, down]


def _map_size(convolution: nn.Conv2d, height: int, width: int) -> tuple[int, int]:
    left, right, top, bottom = _margins(convolution)
    free = (height + top + bottom, width + left + right)
    sizes = [
        (size - gap * (cells - 1) - 1) // step + 1
        for size, gap, cells, step in zip(
            free, convolution.dilation, convolution.kernel_size, convolution.stride, strict=True
        )
    ]
    return sizes[0], sizes[1]


def _copies(shared: Tensor, places: tuple[int, int]) -> Tensor:
    return shared.detach().expand(*places, *shared.shape).clone()


def _largest(differences: list[Tensor]) -> float:
    return max(difference.abs().max().item() for difference in differences)

"""Weight sharing: a convolution compared with a locally connected layer, which has its own weights at each position.

As long as all copies of a weight are equal, both layers have the same output, and the gradient of the shared weight is
the sum of the gradients of its copies (LeCun et al. 1989, "Backpropagation applied to handwritten zip code
recognition"). Computed in float64, so that the remaining differences are rounding errors.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LocallyConnected(nn.Module):
    """The convolution without weight sharing, for inputs of `height` x `width`.

    weight (h, w, K, C / groups, n, m) and bias (h, w, K) hold a copy of the convolution's for each of the h x w
    positions of its output.
    """

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        self.window = {name: getattr(convolution, name) for name in ("kernel_size", "dilation", "stride")}
        self.groups, self.margins = convolution.groups, _margins(convolution)
        self.padding_mode = "constant" if convolution.padding_mode == "zeros" else convolution.padding_mode
        self.positions = _map_size(convolution, height, width)
        self.weight = nn.Parameter(_copies(convolution.weight, self.positions))
        self.bias = None if convolution.bias is None else nn.Parameter(_copies(convolution.bias, self.positions))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K, h, w)."""
        windows = F.unfold(F.pad(images, self.margins, mode=self.padding_mode), **self.window)
        windows = windows.unflatten(1, (self.groups, -1))  # (B, groups, C / groups * n * m, h * w)
        weight = self.weight.flatten(3).flatten(0, 1).unflatten(1, (self.groups, -1))
        maps = torch.einsum("bgip,pgki->bgkp", windows, weight).flatten(1, 2).unflatten(2, self.positions)
        return maps if self.bias is None else maps + self.bias.permute(2, 0, 1)


def compare_gradients(
    network: nn.Module, images: Tensor, labels: Tensor, *, layer: str | None = None
) -> dict[str, float]:
    """Compare a convolution (the first, or `layer`) with its locally connected counterpart in the same network.

    The gradients are those of the mean cross entropy, without dropout; the network is not modified. All differences are
    maxima over the weights. `gradient_largest` gives their scale; `copies_difference` is the largest difference between
    the gradients of two copies of a weight. Needs positions x parameters of memory: for small images.
    """
    name = first_convolution(network) if layer is None else layer
    shared = copy.deepcopy(network).cpu().double().eval().requires_grad_()
    images, labels = images.detach().cpu().double(), labels.cpu()
    unshared, local = unshare(shared, name, images)
    outputs = [_differentiate(model, images, labels) for model in (shared, unshared)]
    convolution = _convolution(shared, name)
    sums, copies = _gradients(convolution), [each.flatten(0, 1) for each in _gradients(local)]
    return {
        "output_difference": _largest([outputs[0] - outputs[1]]),
        "gradient_difference": _largest([one - each.sum(0) for one, each in zip(sums, copies, strict=True)]),
        "gradient_largest": _largest(sums),
        "copies_difference": _largest([each.amax(0) - each.amin(0) for each in copies]),
        **parameter_counts(convolution, *_input_size(shared, name, images)),
    }


def parameter_counts(convolution: nn.Conv2d, height: int, width: int) -> dict[str, int]:
    """Parameters of a convolution, a locally connected and a fully connected layer for inputs of `height` x `width`."""
    down, across = _map_size(convolution, height, width)
    own = sum(parameter.numel() for parameter in convolution.parameters())
    outputs = down * across * convolution.out_channels
    inputs = height * width * convolution.in_channels + (convolution.bias is not None)
    return {
        "positions": down * across,
        "parameters_shared": own,
        "parameters_unshared": own * down * across,
        "parameters_fully_connected": inputs * outputs,
    }


def unshare(network: nn.Module, layer: str, images: Tensor) -> tuple[nn.Module, LocallyConnected]:
    """A copy of the network with a locally connected layer in place of `layer`, and that layer, for such images."""
    local = LocallyConnected(_convolution(network, layer), *_input_size(network, layer, images))
    unshared = copy.deepcopy(network)
    unshared.set_submodule(layer, local)
    return unshared, local


def first_convolution(network: nn.Module) -> str:
    """Name of the first 2-d convolution in the order of the network's layers; ValueError if there is none."""
    names = [name for name, module in network.named_modules() if name and isinstance(module, nn.Conv2d)]
    if not names:
        raise ValueError(f"network: a {type(network).__name__} contains no convolution")
    return names[0]


def _convolution(network: nn.Module, layer: str) -> nn.Conv2d:
    found = dict(network.named_modules()).get(layer)
    if not layer or not isinstance(found, nn.Conv2d):
        names = [name for name, module in network.named_modules() if name and isinstance(module, nn.Conv2d)]
        raise ValueError(f"layer {layer!r} is not a convolution of the network; choices: {', '.join(names) or 'none'}")
    return found


def _differentiate(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Returns the logits; sets the gradients of the parameters."""
    network.zero_grad()
    logits = network(images)
    F.cross_entropy(logits, labels).backward()
    return logits.detach()


def _gradients(layer: nn.Module) -> list[Tensor]:
    """Gradients of the weight and, if there is one, the bias."""
    return [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]


def _input_size(network: nn.Module, layer: str, images: Tensor) -> tuple[int, int]:
    """Height and width of the layer's input for these images."""
    network = copy.deepcopy(network).eval()  # a copy, for the hook stays
    sizes: set[tuple[int, int]] = set()
    _convolution(network, layer).register_forward_pre_hook(lambda _, inputs: sizes.add(tuple(inputs[0].shape[-2:])))
    with torch.no_grad():
        network(images[:1])
    if len(sizes) != 1:
        raise ValueError(f"layer {layer!r} has inputs of {len(sizes)} sizes; a locally connected layer needs one")
    return sizes.pop()


def _margins(convolution: nn.Conv2d) -> list[int]:
    """Padding left, right, top and bottom, for F.pad; with "same" the smaller half is left and top, as in torch."""
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


def _copies(shared: Tensor, positions: tuple[int, int]) -> Tensor:
    return shared.detach().expand(*positions, *shared.shape).clone()


def _largest(differences: list[Tensor]) -> float:
    return max(difference.abs().max().item() for difference in differences)

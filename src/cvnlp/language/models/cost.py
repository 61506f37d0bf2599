"""What reading a token costs, counted."""

from torch import nn

LAYERS = (nn.RNNBase, nn.Linear)


def multiply_adds(network: nn.Module) -> int:
    """Of the matrix products for one token: each weight of the recurrent and fully connected layers is used once.

    Looking up multiplies no matrix, be it an embedding or a count. A grouped or adaptive output counts with all its
    groups, as for a whole distribution.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    weights = [weight for layer in layers for weight in layer.parameters(recurse=False)]
    return sum(weight.numel() for weight in weights if weight.ndim == 2)

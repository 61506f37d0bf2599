"""Multiply-adds of a language model per token."""

from torch import nn

LAYERS = (nn.RNNBase, nn.Linear)


def multiply_adds(network: nn.Module) -> int:
    """The multiply-adds of the matrix products for one token: recurrent and fully connected layers use a weight once.

    Looking up an embedding or a count needs none. A grouped or adaptive output counts with all its groups, as for the
    whole distribution.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    weights = [weight for layer in layers for weight in layer.parameters(recurse=False)]
    return sum(weight.numel() for weight in weights if weight.ndim == 2)

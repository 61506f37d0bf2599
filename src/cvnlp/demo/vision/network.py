"""A classifier as a graph of operations of the demo page."""

from cvnlp.demo.page_data import UnsupportedNetworkError
from cvnlp.demo.vision.graph import Graph
from cvnlp.demo.vision.layers import add_layer, add_scale
from cvnlp.demo.vision.neocognitron import add_neocognitron
from cvnlp.vision.models import Classifier
from cvnlp.vision.models.neocognitron import Neocognitron
from cvnlp.vision.models.rules import RULES, Rules


def convert_network(network: Classifier) -> Graph:
    """The graph of a classifier; its last node has the logits. UnsupportedNetworkError names what is missing."""
    graph = Graph(network.shape)
    if isinstance(network, Rules):
        _add_rules(graph, network)
    elif type(network).forward is not Classifier.forward:
        raise UnsupportedNetworkError(f"the page has no counterpart of {type(network).__name__}.forward")
    else:
        image = add_scale(graph, 0, 1 / network.std.flatten(), (-network.mean / network.std).flatten())
        if isinstance(network, Neocognitron):
            add_neocognitron(graph, network, image)
        else:
            add_layer(graph, network.layers, image, "")
    graph.nodes[-1]["name"] = graph.nodes[-1].get("name", "logits")
    return graph


def _add_rules(graph: Graph, network: Rules) -> None:
    rules = [[list(rule) for rule in RULES[digit]] for digit in RULES]
    graph.add("rules", 0, name="scores", rules=rules, softness=network.softness, sharpness=network.sharpness)

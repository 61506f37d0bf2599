"""The language models, by the names that params.yaml gives them."""

from typing import Any

from cvnlp.language.models.cost import multiply_adds
from cvnlp.language.models.ngram import Ngram
from cvnlp.language.models.recurrent import Gru, Lstm, Recurrent, Rnn

__all__ = ["MODELS", "Network", "Ngram", "Recurrent", "multiply_adds", "network_arguments"]

Network = Ngram | Recurrent

MODELS: dict[str, type[Network]] = {"ngram": Ngram, "rnn": Rnn, "gru": Gru, "lstm": Lstm}


def network_arguments(facts: dict[str, Any]) -> dict[str, Any]:
    """What a constructor takes from the data."""
    return {"vocabulary_size": facts["vocabulary_size"]}

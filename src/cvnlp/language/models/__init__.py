"""The language models, by their names in params.yaml."""

from collections.abc import Callable
from typing import Any

from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.models.cost import multiply_adds
from cvnlp.language.models.ngram import Ngram
from cvnlp.language.models.recurrent import Gru, Lstm, Recurrent, Rnn
from cvnlp.params.network_config import TextFormat

__all__ = ["MODELS", "Network", "Ngram", "Recurrent", "input_format", "multiply_adds"]

Network = Ngram | Recurrent

# each is called with the format of the data and the options of its own name (params/language_networks.py)
MODELS: dict[str, Callable[[TextFormat, Any], Network]] = {"ngram": Ngram, "rnn": Rnn, "gru": Gru, "lstm": Lstm}


def input_format(facts: LanguageFacts) -> TextFormat:
    """The properties of a data set on which a network depends."""
    return TextFormat(vocabulary_size=facts.vocabulary_size)

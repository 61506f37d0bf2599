"""The language models, by the names that params.yaml gives them."""

from typing import Any

from cvnlp.language.models.recurrent import Lstm, Recurrent, Rnn

__all__ = ["MODELS", "Recurrent", "network_arguments"]

MODELS: dict[str, type[Recurrent]] = {"rnn": Rnn, "lstm": Lstm}


def network_arguments(facts: dict[str, Any]) -> dict[str, Any]:
    """What a constructor takes from the data."""
    return {"vocabulary_size": facts["vocabulary_size"]}

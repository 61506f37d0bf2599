"""Language models and an excerpt of the test text for the demo page."""

from pathlib import Path
from typing import Any

import numpy as np

from cvnlp.data.prepared import LanguageFacts, load_array, read_facts, read_processing
from cvnlp.demo.language.ngram import convert_ngram
from cvnlp.demo.language.recurrent import convert_recurrent
from cvnlp.demo.page_data import PageData, UnsupportedNetworkError
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.models import Ngram, Recurrent
from cvnlp.params.network_config import LanguageConfig
from cvnlp.params.processing import TextProcessing

__all__ = ["convert", "examples"]

EXCERPT = {"characters": 600, "words": 120}  # tokens of the test text on the page


def convert(network: Any, config: LanguageConfig) -> PageData:
    """The network with its vocabulary; UnsupportedNetworkError if the page has no counterpart."""
    if isinstance(network, Ngram):
        found = convert_ngram(network)
    elif isinstance(network, Recurrent):
        found = convert_recurrent(network)
    else:
        raise UnsupportedNetworkError(f"the page has no counterpart of {type(network).__name__}")
    if config.processing is None:
        raise UnsupportedNetworkError("config.json of the model has no vocabulary")
    processing = config.processing.model_dump(mode="json")
    return PageData(found.description | {"kind": "language"} | processing, found.arrays)


def examples(data: Path) -> PageData:
    """An excerpt of the test text, from the beginning of a line in its middle, and its token ids.

    In the text, tokens that are not in the vocabulary have no letters from which they could be read again.
    """
    facts, processing = read_facts(data, LanguageFacts), read_processing(data)
    if not isinstance(processing, TextProcessing):
        raise TypeError(f"{data} has no texts")
    ids = load_array(data, "test")
    ends = np.flatnonzero(ids[len(ids) // 2 : -EXCERPT[facts.token_kind]] == facts.start)
    first = len(ids) // 2 + int(ends[0]) + 1 if len(ends) else 0
    tokens = [int(one) for one in ids[first : first + EXCERPT[facts.token_kind]]]
    return PageData({"excerpt": as_text(tokens, processing.vocabulary, processing), "ids": tokens}, {})

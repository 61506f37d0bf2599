"""Prepared data sets on disk: arrays as memory maps, and facts.json, which is written last and marks completion."""

from cvnlp.data.prepared.arrays import SPLITS, load_array, open_array_writer, save_array
from cvnlp.data.prepared.facts import (
    DuplicateCounts,
    Facts,
    LanguageFacts,
    VisionFacts,
    describe_arrays,
    read_facts,
    save_facts,
)
from cvnlp.data.prepared.processing import read_processing
from cvnlp.data.prepared.test_set import read_test_digest, save_test_set

__all__ = [
    "SPLITS",
    "DuplicateCounts",
    "Facts",
    "LanguageFacts",
    "VisionFacts",
    "describe_arrays",
    "load_array",
    "open_array_writer",
    "read_facts",
    "read_processing",
    "read_test_digest",
    "save_array",
    "save_facts",
    "save_test_set",
]

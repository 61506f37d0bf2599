"""How files of the same kind as those of a prepared data set are processed: a trained network needs it for new ones."""

from pathlib import Path

from cvnlp import files
from cvnlp.data.prepared.facts import LanguageFacts, VisionFacts, read_facts
from cvnlp.params.processing import PictureProcessing, TextProcessing


def read_processing(folder: Path) -> PictureProcessing | TextProcessing:
    """The processing of the prepared data set in `folder`."""
    facts = read_facts(folder)
    return _of_pictures(facts) if isinstance(facts, VisionFacts) else _of_texts(facts, folder)


def _of_pictures(facts: VisionFacts) -> PictureProcessing:
    return PictureProcessing(classes=tuple(facts.classes), decoding=facts.decoding)


def _of_texts(facts: LanguageFacts, folder: Path) -> TextProcessing:
    vocabulary = files.read_json(folder / "vocabulary.json")
    return TextProcessing(
        tokens=facts.tokens, lowercase=facts.lowercase, start=facts.start, vocabulary=tuple(vocabulary)
    )

"""The published data sets: their files with checksums and places, licences and citations, as one table."""

from cvnlp.catalogue.entry import File, Source, origins_of, readable
from cvnlp.catalogue.language import SOURCES as LANGUAGE
from cvnlp.catalogue.vision import SOURCES as VISION

__all__ = ["SOURCES", "File", "Source", "origins_of", "readable"]

SOURCES: dict[str, Source] = VISION | LANGUAGE

"""The table of published data sets: files with checksums and URLs, licences, citations."""

from cvnlp.catalogue.entry import File, Source, format_bytes
from cvnlp.catalogue.language import SOURCES as LANGUAGE
from cvnlp.catalogue.vision import SOURCES as VISION

__all__ = ["SOURCES", "File", "Source", "format_bytes"]

SOURCES: dict[str, Source] = VISION | LANGUAGE

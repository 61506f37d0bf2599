"""Data sets of texts: from raw files to prepared arrays on disk. Imports no torch."""

from cvnlp.language.data.prepare import READERS, prepare

__all__ = ["READERS", "prepare"]

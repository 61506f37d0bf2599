"""Data sets of texts: from raw files to prepared arrays on disk. Imports no torch."""

from cvnlp.language.data.prepare import prepare
from cvnlp.language.data.published import READERS

__all__ = ["READERS", "prepare"]

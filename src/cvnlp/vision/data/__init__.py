"""Data sets of images: from raw files to prepared arrays on disk. Imports no torch."""

from cvnlp.vision.data.prepare import prepare
from cvnlp.vision.data.published import READERS

__all__ = ["READERS", "prepare"]

"""Data sets of images: from raw files to prepared arrays on disk. Imports no torch."""

from cvnlp.vision.data.prepare import READERS, prepare

__all__ = ["READERS", "prepare"]

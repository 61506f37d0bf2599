"""A trained model as files for other programs: safetensors, ONNX or a torch.export program, and a README."""

from cvnlp.export.folder import FORMATS, new_folder
from cvnlp.export.portable import Description, Field, Portable
from cvnlp.export.programs import WRITERS

__all__ = ["FORMATS", "WRITERS", "Description", "Field", "Portable", "new_folder"]

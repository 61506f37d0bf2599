"""What turns a user's picture or text into the input of a network, and its output into class names or text."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from cvnlp.params.base import Strict

# JSON has lists only
Names = Annotated[tuple[str, ...], Field(strict=False)]


class Decoding(Strict):
    """How picture files become images of the network's size; see the keys of the same names in `own`."""

    fit: Literal["crop", "pad", "stretch"] = "pad"
    colour: Literal["grey", "rgb"]
    background: Literal["black", "white"] = "black"


class PictureProcessing(Strict):
    """`classes`: the names of the network's outputs, in their order."""

    classes: Names
    decoding: Decoding


class TextProcessing(Strict):
    """`vocabulary`: the token of each id, with the unknown token first; `start`: the id of the token that ends a line,
    from which the first token of a text is predicted.
    """

    tokens: Literal["characters", "words", "whitespace"]
    lowercase: bool
    start: NonNegativeInt
    vocabulary: Names

    @property
    def token_kind(self) -> Literal["characters", "words"]:
        return "characters" if self.tokens == "characters" else "words"

"""The blocks of `datasets` (published) and `own` (the user's files): what to prepare, and how to split it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, PositiveInt, model_validator

from cvnlp.params.base import Seed, Strict

Duplicates = Literal["keep", "drop"]
Size = Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
MaxSkipped = Annotated[float, Field(ge=0, lt=1)]


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _pictures_held_out(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if value is None or whole or _is_fraction(value):
        return value
    raise ValueError("must be a number of images above 0, a fraction between 0 and 1, or null")


def _texts_held_out(value: Any) -> Any:
    names = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if value is None or names or _is_fraction(value):
        return value
    raise ValueError("must be a list of names of documents, a fraction between 0 and 1, or null")


def _is_plain_path(path: str) -> str:
    if not path or path.startswith("~") or not path.isprintable():
        raise ValueError("must be a path, absolute or relative to the project's folder, without ~ at its start")
    return path


def _is_encoding(name: str | None) -> str | None:
    try:
        if name is not None:
            b"text".decode(name, errors="replace")
    except LookupError:
        raise ValueError("is not an encoding of Python, such as utf-8, latin-1, cp1252, utf-16, shift_jis") from None
    return name


HeldOutPictures = Annotated[int | float | None, PlainValidator(_pictures_held_out)]
HeldOutTexts = Annotated[list[str] | float | None, PlainValidator(_texts_held_out)]


class Dataset(Strict):
    """`seed` fixes the random splits. `validation` and `test` are null where the data set has that split itself.

    `duplicates: drop` keeps one of several equal images or documents: a held-out one if there is one.
    """

    seed: Seed
    duplicates: Duplicates = "keep"


class Own(Strict):
    """`path`: the file or folder. Unreadable files are skipped and listed, up to the fraction `max_skipped`."""

    path: Annotated[str, AfterValidator(_is_plain_path)]
    max_skipped: MaxSkipped = 0.01


class Canvases(Strict):
    """`count` canvases of `size` [height, width] with `pictures` validation images on each, for object detection, and
    as many with test images.

    `background`: the fraction of every split that are windows between the images of such canvases, as a class of their
    own.
    """

    count: PositiveInt
    size: Size
    pictures: PositiveInt
    background: Annotated[float, Field(gt=0, lt=1)]


class VisionData(Dataset):
    """`validation` and `test`: images held out, stratified by class: their total number, or a fraction."""

    domain: Literal["vision"]
    validation: HeldOutPictures = None
    test: HeldOutPictures = None
    canvases: Canvases | None = None


class LanguageData(Dataset):
    """`validation` and `test`: whole documents held out, by name or as a fraction; of a single text, its end.

    `tokens`: characters, words with punctuation apart, or whatever whitespace separates. The vocabulary consists of the
    `vocabulary_size` most frequent tokens of the training text (null: all) that occur at least `minimum_count` times.
    """

    domain: Literal["language"]
    tokens: Literal["characters", "words", "whitespace"]
    lowercase: bool = False
    vocabulary_size: Annotated[int, Field(gt=2)] | None = None
    minimum_count: PositiveInt = 1
    validation: HeldOutTexts = None
    test: HeldOutTexts = None

    @model_validator(mode="after")
    def _has_disjoint_splits(self) -> "LanguageData":
        named = [names for names in (self.validation, self.test) if isinstance(names, list)]
        held_out = [name for names in named for name in names]
        repeated = sorted({name for name in held_out if held_out.count(name) > 1})
        if repeated:
            raise ValueError(f"validation and test hold out {', '.join(repeated)} more than once")
        return self


class VisionDataset(VisionData):
    """`source`: name of a published data set in the catalogue."""

    source: str


class LanguageDataset(LanguageData):
    """`source`: name of a published data set in the catalogue."""

    source: str


class OwnPictures(VisionData, Own):
    """`size` [height, width] and `colour` of the prepared images; `fit`: how an image of another shape is resized.

    `background`: the colour of padding and of transparent pixels.
    """

    size: Size
    fit: Literal["crop", "pad", "stretch"] = "crop"
    colour: Literal["grey", "rgb"] = "rgb"
    background: Literal["black", "white"] = "black"


class OwnTexts(LanguageData, Own):
    """`encoding` of all files; null detects it for each file."""

    encoding: Annotated[str | None, AfterValidator(_is_encoding)] = None

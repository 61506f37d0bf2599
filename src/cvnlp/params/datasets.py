"""The blocks of `datasets` (published) and `own` (the user's files): what is prepared, and how it is split."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, PositiveInt, model_validator

from cvnlp.params.base import Seed, Strict

Duplicates = Literal["keep", "drop"]
Size = Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
MaxSkipped = Annotated[float, Field(ge=0, lt=1)]


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _pictures_held_out(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if value is None or whole or _is_share(value):
        return value
    raise ValueError("must be a number of pictures above 0, a share between 0 and 1, or null")


def _texts_held_out(value: Any) -> Any:
    names = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if value is None or names or _is_share(value):
        return value
    raise ValueError("must be a list of names of documents, a share between 0 and 1, or null")


def _has_no_home(path: str) -> str:
    if not path or path.startswith("~") or "'" in path or "\n" in path:
        raise ValueError("must be a path, absolute or from the project's folder, without ~ and quotation marks")
    return path


def _is_encoding(name: str | None) -> str | None:
    try:
        if name is not None:
            b"text".decode(name, errors="replace")
    except LookupError:
        raise ValueError("is no encoding that Python knows, as utf-8, latin-1, cp1252, utf-16, shift_jis are") from None
    return name


HeldOutPictures = Annotated[int | float | None, PlainValidator(_pictures_held_out)]
HeldOutTexts = Annotated[list[str] | float | None, PlainValidator(_texts_held_out)]


class Dataset(Strict):
    """`seed` fixes every drawing. `validation` and `test` are null where the data brings that split itself.

    `duplicates: drop` keeps one of equal pictures or documents, and of those in two splits the one that is held out.
    """

    seed: Seed
    duplicates: Duplicates = "keep"


class Own(Strict):
    """`path`: where the files are; up to a share of `max_skipped` may be unusable, and are listed."""

    path: Annotated[str, AfterValidator(_has_no_home)]
    max_skipped: MaxSkipped = 0.01


class Canvases(Strict):
    """`count` canvases of `size` [height, width] with so many validation `pictures` on each, to be read as a whole.

    `background`: share of every split that are windows between the pictures of such canvases, a class of their own.
    """

    count: PositiveInt
    size: Size
    pictures: PositiveInt
    background: Annotated[float, Field(gt=0, lt=1)]


class VisionData(Dataset):
    """`validation` and `test`: pictures held out, drawn from every class: so many in all, or a share."""

    domain: Literal["vision"]
    validation: HeldOutPictures = None
    test: HeldOutPictures = None
    canvases: Canvases | None = None


class LanguageData(Dataset):
    """`validation` and `test`: documents held out whole, by name or as a share; a share of one text is its end.

    The vocabulary is of the training text: `vocabulary_size` tokens at most, each at least `minimum_count` times.
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
        twice = sorted({name for name in held_out if held_out.count(name) > 1})
        if twice:
            raise ValueError(f"validation and test together hold out {', '.join(twice)} more than once")
        return self


class VisionDataset(VisionData):
    """`source`: a name in the table of published data sets."""

    source: str


class LanguageDataset(LanguageData):
    """`source`: a name in the table of published data sets."""

    source: str


class OwnPictures(VisionData, Own):
    """`size` [height, width] and `colour` are those of all pictures; `fit`: how a picture of other sides gets there."""

    size: Size
    fit: Literal["crop", "pad", "stretch"] = "crop"
    colour: Literal["grey", "rgb"] = "rgb"
    background: Literal["black", "white"] = "black"


class OwnTexts(LanguageData, Own):
    """`encoding`: of all files; null finds it out for each."""

    encoding: Annotated[str | None, AfterValidator(_is_encoding)] = None

"""Bytes of a text file, of an encoding that may not be known, to text with plain line ends."""

import codecs
from typing import NamedTuple

import charset_normalizer

from cvnlp.data.user_files import UnreadableFileError

# the longer ones first: the mark of UTF-16 begins that of UTF-32
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BINARY = "holds NUL characters: binary, or UTF-16 without a mark; then name the encoding"


class Decoded(NamedTuple):
    text: str
    encoding: str
    converted: bool  # whether line ends were


def decode(content: bytes, encoding: str | None = None) -> Decoded:
    """By the encoding that is named, else the byte-order mark, else as UTF-8, else by the best guess.

    UnreadableFileError, with the reason, if it is no text.
    """
    encoding = encoding or _marked(content) or _found(content)
    text = _strictly(content, encoding).removeprefix("\ufeff")
    if not text or text.isspace():
        raise UnreadableFileError("is empty" if not content else "holds nothing but white space")
    if "\0" in text:
        raise UnreadableFileError(BINARY)
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), encoding, "\r" in text)


def _marked(content: bytes) -> str | None:
    return next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)


def _found(content: bytes) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        if b"\0" in content:
            raise UnreadableFileError(BINARY) from None
        best = charset_normalizer.from_bytes(content).best()
        if best is None:
            raise UnreadableFileError("fits no encoding: probably no text; or name the encoding") from None
        return best.encoding
    return "utf-8"


def _strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
        text.encode("utf-8")  # a few encodings let halves of characters pass, which no file could hold
    except UnicodeDecodeError as error:
        place = error.start + len(content) - len(error.object)  # some codecs take the mark off before they count
        line = _lines(content[:place].decode(encoding, "replace"))
        raise UnreadableFileError(f"is not {encoding}: {error.reason} at byte {place} (line {line})") from None
    except UnicodeError as error:
        raise UnreadableFileError(f"is not {encoding}: {error}") from None
    return text


def _lines(text: str) -> int:
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1

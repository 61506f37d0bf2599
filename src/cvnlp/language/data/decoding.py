"""Decode the bytes of a text file, whose encoding may be unknown, to text with newlines as line ends."""

import codecs
import re
from typing import NamedTuple

from cvnlp.data.user_files import UnreadableFileError
from cvnlp.language.data.scripts import unrivalled_encoding
from cvnlp.language.data.western import western_encoding

# UTF-32 comes first, because the mark of UTF-16 is a prefix of its mark
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")  # in UTF-8
HIGH = bytes(range(0x80, 0x100))
SEVEN_BIT = re.compile(rb"\x1b\$|~\{(?:[!-w][!-~])+~\}")  # escape sequences of iso2022_jp and its relatives, and of hz
CONTROLS = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1c\x1d\x1e\x1f"))
MOST_CONTROLS = 0.1  # of the bytes of a text
NAME_IT = "name it: set `encoding`, for example to cp1252, cp1250, cp1251, shift_jis or gb18030"
BINARY = "contains NUL characters: a binary file, or UTF-16 without a byte-order mark; then set `encoding`"


class Decoded(NamedTuple):
    """`converted`: whether line ends were converted."""

    text: str
    encoding: str
    converted: bool


def decode(content: bytes, encoding: str | None = None) -> Decoded:
    """Decode by the given encoding, else the byte-order mark, else as UTF-8, else by what its bytes allow only.

    UnreadableFileError, with the reason, for what is not text.
    """
    encoding = encoding or _marked_encoding(content) or _detected_encoding(content)
    text = _decode_strictly(content, encoding).removeprefix("\ufeff")
    if not text or text.isspace():
        raise UnreadableFileError("is empty" if not content else "contains only white space")
    if "\0" in text:
        raise UnreadableFileError(BINARY)
    return Decoded(_normalised(text), encoding, "\r" in text)


def _marked_encoding(content: bytes) -> str | None:
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)


def _detected_encoding(content: bytes) -> str:
    """UTF-8 if the content is valid; else an encoding whose rivals would give the same text, or that of a Western text.

    UnreadableFileError for a text whose encoding cannot be told from its bytes, and for damaged UTF-8.
    """
    if b"\0" not in content and len(content.translate(None, CONTROLS)) < (1 - MOST_CONTROLS) * len(content):
        raise UnreadableFileError("has many control characters: a binary file, or set `encoding`")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise UnreadableFileError(BINARY) from None
        place = f"{error.reason} at byte {error.start} (line {_line(content[: error.start], 'utf-8')})"
    else:
        if SEVEN_BIT.search(content):
            raise UnreadableFileError("has escape sequences, as in iso2022_jp or hz; set `encoding`")
        return "utf-8"
    rest, valid = MULTIBYTE.subn(b"", content)
    if len(rest) - len(rest.translate(None, HIGH)) <= max(valid, 1):
        raise UnreadableFileError(f"is not utf-8: {place}; correct it, or set `encoding`")
    if encoding := western_encoding(content) or unrivalled_encoding(content):
        return encoding
    raise UnreadableFileError(f"is not utf-8: {place}, and several other encodings are possible; {NAME_IT}")


def _decode_strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
        text.encode("utf-8")  # some encodings accept halves of surrogate pairs, which cannot be written
    except UnicodeDecodeError as error:
        place = error.start + len(content) - len(error.object)  # some codecs remove the mark before they count
        line = _line(content[:place], encoding)
        raise UnreadableFileError(f"is not {encoding}: {error.reason} at byte {place} (line {line})") from None
    except UnicodeError as error:
        raise UnreadableFileError(f"is not {encoding}: {error}") from None
    return text


def _line(content: bytes, encoding: str) -> int:
    """The number of the line that follows `content`."""
    return _normalised(content.decode(encoding, "replace")).count("\n") + 1


def _normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")

"""Decoding: byte-order marks, detected encodings, and files that are not text."""

import codecs

import pytest

from cvnlp.data.user_files import UnreadableFileError
from cvnlp.language.data.decoding import decode

GERMAN = "Das schöne Mädchen ißt süßen Käse, während draußen Vögel zwitschern.\n" * 20
JAPANESE = "これは日本語の文章です。今日はいい天気ですね。\n" * 20


@pytest.mark.parametrize("text", ["plain\n", GERMAN, JAPANESE, "a\N{GRINNING FACE}\n"])
def test_utf_8_is_detected_without_a_mark(text: str) -> None:
    assert decode(text.encode("utf-8")) == (text, "utf-8", False)


@pytest.mark.parametrize(
    ("mark", "written", "name"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32"),
    ],
)
def test_mark_determines_the_encoding_and_is_removed(mark: bytes, written: str, name: str) -> None:
    assert decode(mark + GERMAN.encode(written)) == (GERMAN, name, False)
    assert decode(mark + GERMAN.encode(written), written).text == GERMAN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf_16_without_a_mark_must_be_given(encoding: str) -> None:
    content = "so it is, ä\n".encode("utf-16-be" if encoding == "utf-16-be" else "utf-16-le")
    with pytest.raises(UnreadableFileError, match=r"UTF-16 without a byte-order mark; then set `encoding`"):
        decode(content)
    assert decode(content, encoding).text == "so it is, ä\n"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_other_encodings_are_detected_and_returned(encoding: str) -> None:
    found = decode(GERMAN.encode(encoding))
    assert found.text == GERMAN
    assert found.encoding != "utf-8"
    assert GERMAN.encode(encoding).decode(found.encoding) == GERMAN


@pytest.mark.parametrize(
    ("text", "encoding"), [(JAPANESE, "shift_jis"), (JAPANESE, "euc_jp"), (GERMAN, "latin-1"), (GERMAN, "cp437")]
)
def test_given_encoding_is_used(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), encoding) == (text, encoding, False)


@pytest.mark.parametrize(
    ("content", "encoding", "place"),
    [
        (b"one\ntwo\nth\xe4\n", "utf-8", r"byte 10 \(line 3\)"),
        (b"one\r\ntwo\rth\xe4\n", "utf-8", r"byte 11 \(line 3\)"),
        (codecs.BOM_UTF8 + b"a\n\xff", "utf-8-sig", r"byte 5 \(line 2\)"),
        (b"\xff", "ascii", r"byte 0 \(line 1\)"),
        ("a\nb\n".encode("utf-16-le") + b"\x00\xdc", "utf-16-le", r"byte 8 \(line 3\)"),
    ],
)
def test_error_states_the_place_of_an_invalid_byte(content: bytes, encoding: str, place: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"is not {encoding}: .* at {place}"):
        decode(content, encoding)


def test_truncated_text_with_a_mark_is_not_guessed() -> None:
    with pytest.raises(UnreadableFileError, match="is not utf-16: truncated data at byte 4"):
        decode(codecs.BOM_UTF16_LE + b"a\x00b")


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match=r"is not raw_unicode_escape: .*surrogates not allowed"):
        decode(rb"a \ud800 b", "raw_unicode_escape")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \r\n\t\n", "contains only white space"),
        (codecs.BOM_UTF8, "contains only white space"),
        ("\u3000\n".encode(), "contains only white space"),
        (b"a\0b", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "NUL"),
        (bytes(range(1, 256)) * 8, "has no detectable encoding"),
    ],
)
def test_file_that_is_not_text_is_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        decode(content)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"a\rb\r", "a\nb\n"),
        (b"a\r\r\nb\n\rc", "a\n\nb\n\nc"),
        ("\ufeffa\r\nb".encode("utf-16-le"), "a\nb"),
    ],
)
def test_line_ends_are_converted_and_this_is_returned(content: bytes, text: str) -> None:
    assert decode(content)[0::2] == (text, True)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\x1c"])
def test_other_separators_are_ordinary_characters(separator: str) -> None:
    assert decode(f"a{separator}b\n".encode()) == (f"a{separator}b\n", "utf-8", False)

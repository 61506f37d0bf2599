"""Decoding: byte-order marks, detected encodings, and files that are not text."""

import codecs
import time

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


WESTERN = {
    "French": "Voilà un texte français, très élevé : à la forêt, l'été dure et ça coûte. Où sont les élèves ?\n",
    "Spanish": "Este es un texto español. El día está bonito. ¿Qué pasó? Mañana será así, según él, ¡olé!\n",
    "German": GERMAN,
    "Portuguese": "Este é um texto português. Nós fomos à praia, está bonita. As ações não são más.\n",
    "Italian": "È così: la città è bella perché c'è più libertà. Andrò lunedì, sarà giù.\n",
    "Swedish": "Det här är en text. I dag är vädret fint och vi gick på gården, på ön.\n",
    "Danish": "Dette er på dansk: vejret er smukt, og hun læser en bog på øen. Får får får?\n",
    "Icelandic": "Þetta er íslenskur texti. Í dag er veðrið gott og við fórum í garðinn. Hún les bók, mjög ánægð.\n",
    "English": "It\u2019s a text \u2013 with \u201csmart quotes\u201d, and he doesn\u2019t care\u2026\n",
}
OTHERS = {
    "Polish": ("Dziś jest ładna pogoda i poszliśmy na spacer. Ona czyta książkę.\n", ("cp1250", "iso8859_2")),
    "Czech": ("Dnes je hezké počasí a šli jsme. Příliš žluťoučký kůň úpěl.\n", ("cp1250", "iso8859_2")),
    "Croatian": ("Danas čovjek šeće i dječak čita knjigu, žena također.\n", ("cp1250", "iso8859_2")),
    "Hungarian": ("Ma szép idő van, és elmentünk a parkba. Ő könyvet olvas.\n", ("cp1250", "iso8859_2")),
    "Turkish": ("Bugün hava çok güzel. Kız kitap okuyor, şimdi ağaç.\n", ("cp1254", "iso8859_9")),
    "Latvian": ("Šodien ir jauks laiks, un mēs gājām uz parku. Viņa lasa grāmatu.\n", ("cp1257", "iso8859_4")),
    "Russian": ("Сегодня хорошая погода, и мы пошли гулять. Она читает.\n", ("cp1251", "koi8_r", "iso8859_5", "cp866")),
    "Greek": ("Σήμερα ο καιρός είναι καλός και πήγαμε στο πάρκο.\n", ("cp1253", "iso8859_7")),
    "Hebrew": ("היום מזג האוויר יפה והלכנו לפארק. היא קוראת ספר.\n", ("cp1255", "iso8859_8", "cp862")),
    "Thai": ("วันนี้อากาศดีมาก เราไปเดินเล่นที่สวน\n", ("cp874", "tis_620")),
    "Japanese": (JAPANESE, ("shift_jis", "cp932", "euc_jp", "iso2022_jp")),
    "Chinese": ("这是一个中文的句子。今天天气很好，我们去公园散步。\n", ("gb2312", "gb18030", "hz")),
    "traditional Chinese": ("這是一個中文的句子。今天天氣很好，我們去公園散步。\n", ("big5", "cp950", "gb18030")),
    "Korean": ("오늘은 날씨가 아주 좋습니다. 우리는 공원에 갔다.\n", ("euc_kr", "cp949", "iso2022_kr")),
    "French with œ": ("Le cœur de ma sœur bat très fort, à la forêt.\n", ("cp1252", "iso8859_15", "mac_roman")),
    "Spanish of a Mac": (WESTERN["Spanish"], ("mac_roman", "cp850", "cp437")),
    "German of a Mac": (GERMAN, ("mac_roman", "cp850", "cp437")),
}
UNMARKED = ("utf-16-le", "utf-16-be", "utf-32-le")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("language", WESTERN)
def test_western_text_is_decoded_as_it_was_written(language: str, encoding: str) -> None:
    if language == "English":  # latin-1 has no typographic quotation marks
        encoding = "cp1252"
    found = decode(WESTERN[language].encode(encoding))
    assert found.text == WESTERN[language]
    assert found.encoding == "cp1252"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(text, encoding, id=f"{language}-{encoding}")
        for language, (text, encodings) in OTHERS.items()
        for encoding in (*encodings, *UNMARKED)
    ],
)
@pytest.mark.parametrize("length", [8, 20, 40, 2000])
def test_text_in_another_encoding_is_decoded_as_it_was_written_or_refused(
    text: str, encoding: str, length: int
) -> None:
    written = (text * 40)[:length]
    try:
        found = decode(written.encode(encoding))
    except UnreadableFileError as error:
        assert "set `encoding`" in str(error)
    else:
        assert found.text == written


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("Japanese", "shift_jis"),
        ("Japanese", "euc_jp"),
        ("Chinese", "gb18030"),
        ("traditional Chinese", "big5"),
        ("Russian", "iso8859_5"),
        ("French with œ", "iso8859_15"),
        ("Thai", "cp874"),
    ],
)
def test_encoding_that_has_no_rival_is_detected(language: str, encoding: str) -> None:
    text = OTHERS[language][0] * 20
    assert decode(text.encode(encoding)).text == text


FRENCH_UTF_8 = ("déjà vu à l'été\n" * 1000).encode()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (FRENCH_UTF_8[:500] + b"\xff" + FRENCH_UTF_8[500:], r"byte 500 \(line 24\)"),
        (FRENCH_UTF_8[:501] + FRENCH_UTF_8[502:], r"byte 501 \(line 24\)"),
        (FRENCH_UTF_8 + b"\xc3", r"byte 21000 \(line 1001\)"),
        (FRENCH_UTF_8 + b"a\xe9b\xe8 c\xea", r"byte 21001 \(line 1001\)"),
        (b"plain text\nwith one \xff byte\n", r"byte 20 \(line 2\)"),
        (b"plain text\nwith one caf\xe9\n", r"byte 23 \(line 2\)"),
    ],
)
def test_damaged_utf_8_is_refused_with_the_place(content: bytes, place: str) -> None:
    with pytest.raises(UnreadableFileError, match=f"is not utf-8: .* at {place}; correct it, or set `encoding`"):
        decode(content)


def test_long_text_of_letters_is_decoded_in_linear_time() -> None:
    content = b"a" * 3_000_000 + " été déjà".encode("latin-1")
    started = time.process_time()
    assert decode(content).encoding == "cp1252"
    assert time.process_time() - started < 5


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
        (bytes(range(1, 256)) * 8, "several other encodings are possible"),
        (b"\x01\x02\x03text\x04\n", "has many control characters"),
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

"""The encoding of a text in another script than Latin, if its bytes allow only one text."""

import unicodedata
from collections.abc import Iterator
from itertools import islice, pairwise

import charset_normalizer

JAPANESE, CHINESE, KOREAN = ("HIRAGANA", "KATAKANA", "CJK"), ("CJK",), ("HANGUL",)
ALPHABETS = (("CYRILLIC",), ("GREEK",), ("HEBREW",), ("ARABIC",), ("THAI",), ("ARMENIAN",), ("GEORGIAN",))
# beginning of an encoding's name -> the scripts of the texts that it is used for; all others are single-byte encodings
SCRIPTS = {
    "cp932": JAPANESE,
    "shift_ji": JAPANESE,
    "euc_j": JAPANESE,
    "iso2022_jp": JAPANESE,
    "gb": CHINESE,
    "big5": CHINESE,
    "cp950": CHINESE,
    "hz": CHINESE,
    "cp949": KOREAN,
    "euc_kr": KOREAN,
    "johab": KOREAN,
    "iso2022_kr": KOREAN,
}
LEAST = 0.95  # share of the letters in one script
LEAST_LETTERS = 20
LEAST_KANA = 0.1  # of the letters of a Japanese text
SAMPLE = 20_000  # letters


def unrivalled_encoding(content: bytes) -> str | None:
    """The guess of charset-normalizer whose text is in one script, if no other guess gives another such text."""
    texts = {guess.encoding: str(guess) for guess in charset_normalizer.from_bytes(content)}
    plausible = {encoding: text for encoding, text in texts.items() if _is_plausible(text, encoding)}
    return next(iter(plausible)) if len(set(plausible.values())) == 1 else None


def _is_plausible(text: str, encoding: str) -> bool:
    """Most letters are in the script of the encoding, and no capital follows a small letter."""
    letters = list(islice(_letters(text), SAMPLE))
    foreign = [unicodedata.name(letter, "").split()[0] for letter in letters if not letter.isascii()]
    capitals = sum(letter.isupper() and before.islower() for before, letter in pairwise(text[:SAMPLE]))
    if len(foreign) < LEAST_LETTERS or 2 * len(foreign) < len(letters) or capitals > (1 - LEAST) * len(foreign):
        return False
    families = [family for start, family in SCRIPTS.items() if encoding.startswith(start)] or ALPHABETS
    shares = [sum(script.startswith(family) for script in foreign) / len(foreign) for family in families]
    kana = sum(script in JAPANESE[:2] for script in foreign) / len(foreign)
    return max(shares) >= LEAST and (families != [JAPANESE] or kana >= LEAST_KANA)


def _letters(text: str) -> Iterator[str]:
    return (letter for letter in text if letter.isalpha())

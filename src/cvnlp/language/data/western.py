"""Whether text in an unknown single-byte encoding is that of a Western European language.

A text in latin-1 or Windows-1252 can be decoded by every similar encoding, with other letters. It is accepted only if
its letters are those of one Western language, and no encoding of Central Europe, the Baltics or Turkey would give the
letters of one of their languages.
"""

import re
from collections.abc import Iterator
from itertools import islice

# the letters that are frequent in each language, beyond a to z
WESTERN = (
    "àâçéèêëîïôœùûæ",  # French
    "áéíóúüñ",  # Spanish, Galician, Irish
    "àáâãçéêíóôõú",  # Portuguese
    "àèéìòùî",  # Italian
    "àèéíïòóúüç",  # Catalan
    "äöüßé",  # German
    "éëïöüèêáó",  # Dutch
    "åäöé",  # Swedish, Finnish
    "æøåéòôêó",  # Danish, Norwegian
    "áéíóúýþæöð",  # Icelandic
    "éèêëïçñöü",  # loan words in English
    "õäöü",  # Estonian
)
CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíľňóôšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # Croatian, Slovene
    "ăâîșțşţ",  # Romanian
)
BALTIC = ("āčēģīķļņšūž", "ąčęėįšųūž")  # Latvian, Lithuanian
TURKISH = ("çğıöşüâîû",)
ACCEPTED = ("cp1252", "iso8859_15")  # cp1252 contains latin-1
RIVALS = {
    "cp1250": CENTRAL,
    "iso8859_2": CENTRAL,
    "iso8859_16": CENTRAL,
    "cp1257": BALTIC,
    "iso8859_13": BALTIC,
    "iso8859_4": BALTIC,
    "cp1254": TURKISH,
}
MARKS = frozenset("‘’‚“”„«»‹›–—…•€£¢§©®™°ºª¡¿½¼¾²³µ×÷±†‡·´\xa0\xad")
JOINING_MARKS = frozenset("’‘–—…·\xa0\xad")  # may be written between two letters
OPENING_MARKS = frozenset("•¿¡‚„")  # are not written after a letter
SAMPLE = 5_000  # words with a character beyond ASCII
# from the first letter on, and without backtracking: a long text of letters takes time in proportion to its length
WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[A-Za-z]*+[\x80-\xff][A-Za-z\x80-\xff]*+")
PLAUSIBLE, POSSIBLE = 0.95, 0.9  # least shares of letters of one language, to accept an encoding and to rule it out


def western_encoding(content: bytes) -> str | None:
    """The encoding of a Western text; None if it is none, or another encoding may be right and gives another text."""
    high = bytes(byte for byte in range(0x80, 0x100) if byte in content)
    words = b" ".join(match[0] for match in islice(WORD.finditer(content), SAMPLE))
    found = {encoding: share for encoding in ACCEPTED if (share := _share(words, high, encoding, WESTERN)) >= PLAUSIBLE}
    rivals = {encoding: _share(words, high, encoding, languages) for encoding, languages in RIVALS.items()}
    rivals |= found
    texts = {high.decode(encoding) for encoding, share in rivals.items() if share >= POSSIBLE}
    return next(iter(found)) if found and len(texts) == 1 else None


def _share(words: bytes, high: bytes, encoding: str, languages: tuple[str, ...]) -> float:
    """The largest share of letters of one of the languages among what is not ASCII; marks at their usual places."""
    try:
        high.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    counted = list(_counted(words.decode(encoding)))
    return max(sum(letter in alphabet for letter in counted) for alphabet in languages) / len(counted) if counted else 1


def _counted(text: str) -> Iterator[str]:
    """Characters beyond ASCII in lower case, without marks; a space for a mark or a capital at an impossible place."""
    for before, letter, after in zip(f" {text}", text, f"{text[1:]} ", strict=False):
        if letter in MARKS:
            if _is_misplaced(before, letter, after):
                yield " "
        elif not letter.isascii():
            misplaced = letter.isupper() and (before.islower() or (before.isupper() and after.islower()))
            yield " " if misplaced or not letter.isalpha() else letter.lower()


def _is_misplaced(before: str, mark: str, after: str) -> bool:
    """Whether a mark that is not written within words is between two letters, or one that opens a word after one."""
    if mark == "–":
        return before.islower() and after.islower()
    return before.isalpha() and (mark in OPENING_MARKS or (mark not in JOINING_MARKS and after.isalpha()))

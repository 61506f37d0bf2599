"""Convert token ids to text, with the usual spaces between words and punctuation. Imports no torch."""

from collections.abc import Iterable, Iterator, Sequence

import regex

from cvnlp.data.prepared import LanguageFacts
from cvnlp.params.processing import TextProcessing

CLOSING = frozenset(",.;:!?)]}%’”…।॥")  # written without a space before
OPENING = frozenset("([{‘“¿¡")  # written without a space after
# scripts without spaces, and their punctuation; not katakana, which would become one word
UNSPACED = regex.compile(
    r"[[\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}、。，！？；：「」『』（）]--\p{WB=Katakana}]", regex.V1
)
JOINING = {"@-@": "-", "@,@": ",", "@.@": "."}  # of WikiText, within a word or a number
UNKNOWN_CHARACTER = "\N{REPLACEMENT CHARACTER}"  # an unknown word is written as in the vocabulary: <unk>


def as_text(ids: Iterable[int], vocabulary: Sequence[str], facts: LanguageFacts | TextProcessing) -> str:
    """The text of token ids; `start` of the facts is the token that ends a line, 0 the unknown token."""
    return "".join(stream_text(ids, vocabulary, facts))


def stream_text(ids: Iterable[int], vocabulary: Sequence[str], facts: LanguageFacts | TextProcessing) -> Iterator[str]:
    """The text piece by piece, one for each token: a word comes with the space before it, if any."""
    if facts.token_kind == "characters":
        return (vocabulary[index] if index else UNKNOWN_CHARACTER for index in ids)
    return _with_spaces((vocabulary[index] for index in ids), vocabulary[facts.start])


def _with_spaces(tokens: Iterable[str], line_end: str) -> Iterator[str]:
    """Words and punctuation marks with spaces that follow from the tokens before: marks, brackets, quotation marks.

    The result is split into the same tokens by the tokeniser `words`.
    """
    before, joined, quoted = "", True, False  # `joined`: the next token is written without a space
    for token in tokens:
        if token == line_end:
            yield "\n"
            before, joined, quoted = "", True, False
            continue
        quoted = quoted != (token == '"')
        closes = token in CLOSING or (token == '"' and not quoted) or _attaches(token, before)
        yield JOINING.get(token, token if joined or closes else f" {token}")
        joined = token in OPENING or token in JOINING or (token in ('"', "'") and not closes)
        before = token


def _attaches(token: str, before: str) -> bool:
    """As in i' the, o' me; the second half of a dash; 's and n't, which the Penn Treebank splits off; 日本."""
    if UNSPACED.match(token) and UNSPACED.match(before[-1:]):
        return True
    if token == "'":
        return len(before) == 1 and (before.isalpha() or before in ".!?")
    return (token == before == "-") or token == "n't" or (len(token) > 1 and token[0] == "'")

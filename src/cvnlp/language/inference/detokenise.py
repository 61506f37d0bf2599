"""Token ids as people write text. Imports no torch."""

from collections.abc import Iterable, Iterator

from cvnlp.data.prepared import LanguageFacts

CLOSING = frozenset(",.;:!?)]}%")  # written at the word before
OPENING = frozenset("([{")  # written at the word after
JOINING = {"@-@": "-", "@,@": ",", "@.@": "."}  # WikiText's, within a word or a number
NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"  # an unknown one; an unknown word is written as the vocabulary has it


def as_text(ids: Iterable[int], vocabulary: list[str], facts: LanguageFacts) -> str:
    """Token ids as people read them; number 0 is the unknown token, `start` in the facts the one that ends a line."""
    return "".join(write(ids, vocabulary, facts))


def write(ids: Iterable[int], vocabulary: list[str], facts: LanguageFacts) -> Iterator[str]:
    """The text piece by piece, one for each token; words after the space that people write before them, if any."""
    if facts.token_kind == "characters":
        return (vocabulary[index] if index else NO_CHARACTER for index in ids)
    return _spaced((vocabulary[index] for index in ids), vocabulary[facts.start])


def _spaced(tokens: Iterable[str], line_end: str) -> Iterator[str]:
    """Words and marks with the spaces between them, by what stands before: a mark after a word, brackets, quotes.

    Tokens that were split as `words` are split alike again.
    """
    before, joined, quoted = "", True, False  # `joined`: what comes next is written without a space
    for token in tokens:
        if token == line_end:
            yield "\n"
            before, joined, quoted = "", True, False
            continue
        quoted = quoted != (token == '"')
        closes = token in CLOSING or (token == '"' and not quoted) or _belongs_to(before, token)
        yield JOINING.get(token, token if joined or closes else f" {token}")
        joined = token in OPENING or token in JOINING or (token in ('"', "'") and not closes)
        before = token


def _belongs_to(before: str, token: str) -> bool:
    """As in: i' the, o' me; and the second half of a dash, of it 's and of do n't (as the Penn Treebank cuts)."""
    if token == "'":
        return len(before) == 1 and (before.isalpha() or before in ".!?")
    return (token == before == "-") or token == "n't" or (len(token) > 1 and token[0] == "'")

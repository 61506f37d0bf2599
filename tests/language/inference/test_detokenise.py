"""Token ids as text: with usual spaces, and split into the same tokens again."""

from collections import Counter

import numpy as np
import pytest

from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.tokens import TOKENISERS, build_vocabulary
from cvnlp.language.inference.detokenise import as_text, stream_text

TEXT = "HAMLET:\nTo be, or not to be:\n\n'Tis well-known; that's it! (Aside) \"Go,\" he said -- i' the dark.\n"


def text_of(tokens: list[str], line_end: str = "<eos>", kind: str = "words") -> str:
    vocabulary = ["<unk>", *dict.fromkeys([line_end, *tokens])]
    facts = LanguageFacts.model_construct(token_kind=kind, start=vocabulary.index(line_end))
    return as_text([vocabulary.index(token) for token in tokens], vocabulary, facts)


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_text_is_split_into_the_same_tokens(kind: str) -> None:
    tokens = list(TOKENISERS[kind].split(TEXT))
    assert list(TOKENISERS[kind].split(text_of(tokens, TOKENISERS[kind].line_end, kind))) == tokens


def test_random_words_and_punctuation_are_split_into_the_same_tokens() -> None:
    tokens = np.array([*"abc", "well-known", "that's", "_", "7", *",.;:!?-'\"()[]{}%&/", "<eos>"])
    tokens = np.append(tokens, [*"‘’“”…¿日で。ก", "doesn’t", "कि", "カナ", "한국"])
    for seed in range(200):
        drawn = np.random.default_rng(seed).choice(tokens, 30).tolist()
        kept = [
            token for number, token in enumerate(drawn) if drawn[number - 1 : number] != ["<eos>"] or token != "<eos>"
        ]
        row = [*kept[kept[0] == "<eos>" :], "the", "<eos>"]  # no empty lines: these have no <eos> of their own
        assert list(TOKENISERS["words"].split(text_of(row))) == row


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("to be , or not : that is it !", "to be, or not: that is it!"),
        ("( aside ) [ exit ]", "(aside) [exit]"),
        ('" go , " he said , " now "', '"go," he said, "now"'),
        ("and ' tis i ' the dark . '", "and 'tis i' the dark.'"),
        ("to be - - or not", "to be -- or not"),
        ("it 's n't what they 'd do n't they", "it'sn't what they'd don't they"),
        ("\u201c go , \u201d he said , \u2018 now \u2019 \u2026", "\u201cgo,\u201d he said, \u2018now\u2019\u2026"),
        ("¿ qué ? ¡ no !", "¿qué? ¡no!"),
        ("日 本 語 で す 。 は い", "日本語です。はい"),
        ("a low @-@ cost 5 @,@ 000 @.@ 5 %", "a low-cost 5,000.5%"),
    ],
)
def test_spaces_stand_where_people_write_them(tokens: str, text: str) -> None:
    assert text_of(tokens.split()) == text


def test_a_line_forgets_the_quotation_mark_of_the_one_before() -> None:
    assert text_of(["say", '"', "go", "<eos>", '"', "now", '"', "<eos>"]) == 'say "go\n"now"\n'


def test_lines_of_words_have_no_space_at_their_ends() -> None:
    assert as_text(
        [1, 2, 3, 2, 1, 3], ["<unk>", "to", "be", "<eos>"], LanguageFacts.model_construct(token_kind="words", start=3)
    ) == ("to be\nbe to\n")


def test_unknown_character_is_a_replacement_character() -> None:
    facts = LanguageFacts.model_construct(token_kind="characters", start=1)
    assert as_text([1, 0, 2], ["<unk>", "a", "b"], facts) == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_every_piece_is_yielded_before_the_next_token_is_read(kind: str) -> None:
    read = []

    def ids():
        for number in (1, 2, 3, 1):
            read.append(number)
            yield number

    pieces = stream_text(ids(), ["<unk>", "a", ",", "b"], LanguageFacts.model_construct(token_kind=kind, start=3))
    for count in range(1, 5):
        next(pieces)
        assert len(read) == count
    assert Counter(read) == {1: 2, 2: 1, 3: 1}


def test_vocabulary_of_every_tokeniser_can_be_converted() -> None:
    for name, tokeniser in TOKENISERS.items():
        vocabulary = build_vocabulary(Counter(tokeniser.split(TEXT)), tokeniser.line_end)
        start = vocabulary.index(tokeniser.line_end)
        facts = LanguageFacts.model_construct(token_kind=tokeniser.token_kind, start=start)
        assert len(list(stream_text(range(len(vocabulary)), vocabulary, facts))) == len(vocabulary), name

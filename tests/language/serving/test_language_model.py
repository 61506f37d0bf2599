"""A language model for texts: scores as by the evaluation, generation as by the library."""

import math
from pathlib import Path

import numpy as np
import pytest

import cvnlp
from cvnlp.data import prepared
from cvnlp.language.inference.generation import Sampling, generate
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.serving import LanguageModel
from make_models import make_model


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory, language_data: Path) -> LanguageModel:
    return cvnlp.load(make_model(tmp_path_factory.mktemp("letters"), language_data))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, words_data: Path) -> LanguageModel:
    return cvnlp.load(make_model(tmp_path_factory.mktemp("words"), words_data))


def text_of(model: LanguageModel, data: Path) -> tuple[str, np.ndarray]:
    """The validation text of characters, and its ids."""
    ids = np.array(prepared.load_array(data, "validation"))
    return "".join(model.vocabulary[number] for number in ids), ids


def test_a_text_has_the_nats_of_the_evaluation(letters: LanguageModel, language_data: Path) -> None:
    text, ids = text_of(letters, language_data)
    found, nats = letters.token_nats(text)
    assert np.array_equal(found, ids)
    assert np.array_equal(nats, text_nats(letters.network, ids, letters.processing.start))
    score = letters.perplexity(text)
    assert score.nats_per_token == pytest.approx(float(nats.mean(dtype=np.float64)))
    assert score.perplexity == pytest.approx(math.exp(score.nats_per_token))
    assert (score.tokens, score.unknown) == (len(ids), 0)


def test_unknown_tokens_are_counted(letters: LanguageModel, words: LanguageModel) -> None:
    assert letters.perplexity("to @ be €").unknown_share == pytest.approx(2 / 9)
    score = words.perplexity("To be, zephyr <unk>\r\nto")
    # to be , <unk> < unk > <eos> to <eos>: the tokeniser of words splits <unk>, which is no word
    assert score.unknown >= 2 and score.tokens == 10


def test_line_ends_and_upper_case_are_those_of_the_data(words: LanguageModel) -> None:
    assert words.perplexity("To BE\r\nor\r").nats_per_token == words.perplexity("to be\nor\n").nats_per_token


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_text_without_tokens_is_refused(words: LanguageModel, text: str) -> None:
    with pytest.raises(ValueError, match="no tokens"):
        words.perplexity(text)


def test_the_continuation_is_that_of_the_library(letters: LanguageModel) -> None:
    ids, missing = letters.read("HAMLET:\nTo")
    start, options = letters.processing.start, {"temperature": 0.7, "top_k": 9, "top_p": 0.9}
    expected = generate(letters.network, start, count=1, tokens=25, sampling=Sampling(**options), seed=3, prompt=ids)[0]
    text = letters.generate("HAMLET:\nTo", tokens=25, seed=3, **options)
    assert not missing
    assert text == "".join(letters.vocabulary[number] for number in expected.tolist())
    assert text == letters.generate("HAMLET:\nTo", tokens=25, seed=3, **options)
    assert text != letters.generate("HAMLET:\nTo", tokens=25, seed=4, **options)


def test_the_prompt_comes_first_if_it_is_wanted(words: LanguageModel) -> None:
    sampling = Sampling(temperature=0.8)
    pieces = list(words.stream("well, To", tokens=5, sampling=sampling, seed=1, with_prompt=True))
    assert "".join(pieces).startswith("well, to")
    assert "".join(pieces).removeprefix("well, to") == words.generate("well, To", tokens=5, seed=1)


def test_a_number_out_of_range_is_refused(letters: LanguageModel) -> None:
    with pytest.raises(ValueError, match="temperature: -1"):
        letters.generate(temperature=-1)

"""Every attack in the table ATTACKS replaces the share it was told, and HotFlip what the gradient promises."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.domains import AttackResult
from cvnlp.language.attacks import robustness
from cvnlp.language.attacks.robustness import ATTACKS, verify
from cvnlp.language.batches import Windows
from cvnlp.language.models import MODELS, Network, Recurrent
from cvnlp.language.models.recurrent import Lstm
from cvnlp.networks import device
from cvnlp.params.runs import LanguageAttack
from make_networks import language_model

SHARES = [0.05, 0.1, 0.29, 0.5, 1.0]
RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 9
LETTERS = ["<unk>", *"abcdefgh"]
REPLACING = ("hotflip", "random")  # the others move what is there


def build(name: str, **options: object) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, VOCABULARY, embedding_size=6, hidden_size=8, initial_range=0.6, **options).eval()


def make_texts(count: int = 5, length: int = 40) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(0, VOCABULARY, (count, length + 1), generator=torch.Generator().manual_seed(1))
    return tokens[:, :-1], tokens[:, 1:]


def run(method: str, network: Recurrent, inputs: Tensor, targets: Tensor, share: float, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return ATTACKS[method](network, inputs, targets, share=share, generator=generator, vocabulary=LETTERS)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("method", REPLACING)
def test_an_attack_replaces_the_share_and_writes_no_unknown_token(method: str, share: float) -> None:
    network = build("lstm")
    inputs, targets = make_texts()
    attacked = run(method, network, inputs, targets, share)
    changed = attacked != inputs
    assert attacked.shape == inputs.shape and attacked.dtype == inputs.dtype
    assert changed.sum(1).tolist() == [int(share * 40 + 1e-9)] * 5
    assert attacked[changed].min() >= 1 and attacked.max() < VOCABULARY
    verify(inputs, attacked, share=share, vocabulary_size=VOCABULARY)


@pytest.mark.parametrize("length", [1, 2, 7, 13])
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_short_texts_keep_the_share_too(method: str, length: int) -> None:
    inputs, targets = make_texts(length=length)
    for share in SHARES:
        attacked = run(method, build("rnn"), inputs, targets, share)
        verify(inputs, attacked, share=share, vocabulary_size=VOCABULARY, exact=method in REPLACING)


@pytest.mark.parametrize("method", ["swap", "typo"])
@pytest.mark.parametrize("share", SHARES)
def test_what_is_swapped_moves_by_one_place(method: str, share: float) -> None:
    inputs, targets = make_texts(count=50)
    attacked = run(method, build("lstm"), inputs, targets, share)
    verify(inputs, attacked, share=share, vocabulary_size=VOCABULARY, exact=False)
    for text, changed in zip(inputs.tolist(), attacked.tolist(), strict=True):
        places = [place for place in range(len(text)) if text[place] != changed[place]]
        pairs = list(zip(places[::2], places[1::2], strict=True))
        assert all(after == before + 1 for before, after in pairs)
        assert all([text[before], text[after]] == [changed[after], changed[before]] for before, after in pairs)


def test_swaps_find_the_share_where_there_are_enough_places() -> None:
    inputs = torch.arange(VOCABULARY).repeat(20, 6)
    attacked = run("swap", build("rnn"), inputs, inputs, 0.5)
    assert (attacked != inputs).sum(1).tolist() == [26] * 20  # of 54: 27, and a swap takes two


def test_every_place_can_be_swapped() -> None:
    inputs = torch.arange(VOCABULARY).repeat(200, 1)
    assert (run("swap", build("rnn"), inputs, inputs, 0.25) != inputs).any(0).all()


def test_typos_of_characters_stay_within_words() -> None:
    letters = ["<unk>", " ", "a", "b", "c", ",", "\n", "d", "e"]
    text = torch.tensor([[2, 3, 4, 1, 7, 8, 5, 1, 2, 7, 6, 3, 1, 4]] * 100)
    generator = torch.Generator().manual_seed(0)
    attacked = robustness.typos(build("rnn"), text, text, share=1.0, generator=generator, vocabulary=letters)
    changed = (attacked != text).any(0).tolist()
    assert changed == [True, True, True, False, True, True, False, False, True, True, False, False, False, False]


WORDS = ["<unk>", "<eos>", "form", "from", ",", "a", "aa", "<url>"]


def test_typos_of_words_swap_two_letters_and_are_mostly_unknown() -> None:
    text = torch.tensor([[2, 3, 4, 5, 6, 7, 1, 0]] * 300)
    generators = (torch.Generator().manual_seed(seed) for seed in range(9))
    found = [
        robustness.typos(build("rnn"), text, text, share=1.0, generator=one, vocabulary=WORDS) for one in generators
    ]
    assert {tuple(row) for row in torch.cat(found)[:, 2:].tolist()} == {(4, 5, 6, 7, 1, 0)}  # nothing there to swap
    assert {int(token) for token in torch.cat(found)[:, 0]} == {0, 3}  # "ofrm", "fomr" are no words, "from" is one
    assert {int(token) for token in torch.cat(found)[:, 1]} == {0, 2}


def test_typos_choose_among_words_by_chance_and_keep_to_the_share() -> None:
    text = torch.tensor([[2, 4, 3, 4, 2, 4, 3, 4]] * 200)
    generator = torch.Generator().manual_seed(0)
    attacked = robustness.typos(build("rnn"), text, text, share=0.25, generator=generator, vocabulary=WORDS)
    assert ((attacked != text).sum(1) == 2).all()
    assert (attacked != text).any(0).tolist() == [True, False] * 4


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_a_share_of_zero_changes_nothing(method: str) -> None:
    inputs, targets = make_texts()
    assert torch.equal(run(method, build("lstm"), inputs, targets, 0.0), inputs)


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_the_generator_alone_decides_an_attack(method: str) -> None:
    inputs, targets = make_texts()
    first = run(method, build("lstm"), inputs, targets, 0.2)
    network = build("lstm")
    torch.manual_seed(99)
    assert torch.equal(first, run(method, network, inputs, targets, 0.2))


def test_another_seed_replaces_other_tokens() -> None:
    inputs, targets = make_texts()
    first, other = (run("random", build("lstm"), inputs, targets, 0.2, seed) for seed in (1, 2))
    assert not torch.equal(first, other)


def test_chance_can_write_every_token_but_the_unknown() -> None:
    inputs = torch.full((200, 10), 4)
    attacked = run("random", build("rnn"), inputs, inputs, 1.0)
    assert set(attacked.unique().tolist()) == set(range(1, VOCABULARY)) - {4}


def test_chance_can_replace_every_place() -> None:
    inputs, targets = make_texts(count=200, length=10)
    assert (run("random", build("rnn"), inputs, targets, 0.1) != inputs).any(0).all()


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_attack_leaves_network_and_texts_alone(method: str, name: str) -> None:
    network = build(name)
    inputs, targets = make_texts()
    before = {path: tensor.clone() for path, tensor in network.state_dict().items()}
    tokens = inputs.clone()
    run(method, network, inputs, targets, 0.3)
    assert all(torch.equal(before[path], tensor) for path, tensor in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(inputs, tokens)
    assert not network.training


def test_hotflip_attacks_a_text_by_itself() -> None:
    network = build("lstm").double()
    inputs, targets = make_texts()
    together = run("hotflip", network, inputs, targets, 0.2)
    alone = [run("hotflip", network, inputs[[i]], targets[[i]], 0.2) for i in range(len(inputs))]
    assert torch.equal(together, torch.cat(alone))


def slope(network: Recurrent, inputs: Tensor, targets: Tensor, place: int, token: int, step: float = 1e-6) -> float:
    """How fast the loss of one text rises as the token at a place is moved towards another one: by differences."""

    def loss(share: float) -> float:
        embedded = network.embed(inputs).clone()
        embedded[0, place] += share * (network.embed(torch.tensor(token)) - embedded[0, place])
        logits, _ = network.forward_embedded(embedded)
        return F.cross_entropy(logits[0], targets[0], reduction="sum").item()

    with torch.no_grad():
        return (loss(step) - loss(-step)) / (2 * step)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("text", range(3))
def test_hotflip_takes_the_replacement_along_which_the_loss_rises_fastest(name: str, scale: float, text: int) -> None:
    network = build(name, embedding_scale=scale).double()
    inputs, targets = (side[[text], :8] for side in make_texts())
    slopes = {
        (place, token): slope(network, inputs, targets, place, token)
        for place, token in itertools.product(range(8), range(1, VOCABULARY))
        if token != inputs[0, place]
    }
    attacked = run("hotflip", network, inputs, targets, 1 / 8)
    (place,) = (attacked[0] != inputs[0]).nonzero().flatten().tolist()
    assert (place, int(attacked[0, place])) == max(slopes, key=lambda change: slopes[change])


@pytest.fixture(scope="module")
def trained(language_data: Path) -> Lstm:
    """A small network that has learnt something of the plays."""
    facts = prepared.read_facts(language_data, LanguageFacts)
    torch.manual_seed(0)
    network = language_model("lstm", facts.vocabulary_size, embedding_size=16, hidden_size=32)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02)
    tokens = prepared.load_array(language_data, "train")
    for inputs, targets, _ in Windows(tokens, facts.start, columns=16, window=32, count=60):
        loss = F.cross_entropy(network(inputs)[0].flatten(0, 1), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


OPTIONS = LanguageAttack(shares=[0.3, 0.1], excerpts=12, length=30)


def attack(network: Network, data: Path, **changes: int) -> AttackResult:
    facts, options = prepared.read_facts(data, LanguageFacts), OPTIONS.model_copy(update=changes)
    return robustness.attack(network.to(device()), data, facts, options)


def test_aim_hurts_more_than_chance_and_chance_more_than_nothing(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data).scores
    assert scores["perplexity_clean"] < 12  # of some 40 characters
    for share in (0.1, 0.3):
        assert scores["perplexity_clean"] < scores[f"perplexity_random_{share}"] < scores[f"perplexity_hotflip_{share}"]


def test_more_replacements_hurt_more(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data).scores
    for method in ATTACKS:
        assert scores["perplexity_clean"] < scores[f"perplexity_{method}_0.1"] < scores[f"perplexity_{method}_0.3"]


def test_every_attack_is_made_at_every_share(trained: Lstm, language_data: Path) -> None:
    result = attack(trained, language_data)
    rows = [*result.table.itertuples()]
    assert [(row.share, row.method) for row in rows] == [(share, name) for share in (0.1, 0.3) for name in ATTACKS]
    assert result.scores["tokens"] == 12 * 30
    assert all(result.scores[f"perplexity_{row.method}_{row.share:g}"] == row.perplexity for row in rows)


def test_examples_are_one_text_and_its_attacked_forms(trained: Lstm, language_data: Path) -> None:
    examples = attack(trained, language_data).examples
    share = float(examples["share"])
    assert share in OPTIONS.shares
    clean = str(examples["clean"])
    assert set(examples) == {"clean", "share", *ATTACKS}
    for method in ATTACKS:
        attacked = str(examples[method])
        assert len(attacked) == len(clean) == 30
        changed = sum(mine != other for mine, other in zip(attacked, clean, strict=True))
        assert changed == int(share * 30 + 1e-9) if method in REPLACING else 0 < changed <= int(share * 30 + 1e-9)


def test_rows_tell_how_much_was_changed_indeed(trained: Lstm, language_data: Path) -> None:
    for row in attack(trained, language_data).table.itertuples():
        allowed = int(row.share * 30 + 1e-9) / 30
        assert row.changed == pytest.approx(allowed) if row.method in REPLACING else 0 < row.changed <= allowed


def test_a_network_without_vectors_is_attacked_by_all_that_need_none(language_data: Path) -> None:
    network = language_model("ngram", prepared.read_facts(language_data, LanguageFacts).vocabulary_size, order=3)
    result = attack(network, language_data)
    assert set(result.table["method"]) == set(ATTACKS) - {"hotflip"}
    assert "hotflip" not in result.examples and not any("hotflip" in name for name in result.scores)


def test_texts_read_a_few_at_a_time_give_the_same_scores(
    trained: Lstm, language_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = attack(trained, language_data).scores
    monkeypatch.setattr(robustness, "AT_ONCE", 1)
    again = attack(trained, language_data).scores
    assert again == pytest.approx(scores, rel=1e-4)


def test_attacking_twice_gives_the_same_files(trained: Lstm, language_data: Path) -> None:
    first, again = attack(trained, language_data), attack(trained, language_data)
    assert first.scores == again.scores and first.table.equals(again.table)
    assert all(np.array_equal(first.examples[name], again.examples[name]) for name in first.examples)


def test_clean_perplexity_is_that_of_the_excerpts(trained: Lstm, language_data: Path) -> None:
    """One excerpt as long as the test text is the test text, read from the start token on."""
    tokens = prepared.load_array(language_data, "test").astype(np.int64)
    facts = prepared.read_facts(language_data, LanguageFacts)
    scores = attack(trained, language_data, excerpts=1, length=len(tokens)).scores
    inputs = torch.from_numpy(np.concatenate(([facts.start], tokens[:-1])))[None]
    with torch.no_grad():
        logits, _ = trained.cpu()(inputs)
    expected = F.cross_entropy(logits[0], torch.from_numpy(tokens)).exp().item()
    assert scores["perplexity_clean"] == pytest.approx(expected, rel=1e-4)


def test_excerpts_longer_than_the_test_text_are_refused(trained: Lstm, language_data: Path) -> None:
    length = len(prepared.load_array(language_data, "test"))
    with pytest.raises(ValueError, match=rf"attack\.length {length + 1} .*{length} tokens"):
        attack(trained, language_data, length=length + 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="too few"),
        pytest.param({0: 5, 1: 5, 2: 5}, id="too many"),
        pytest.param({0: VOCABULARY, 1: 5}, id="beyond the vocabulary"),
        pytest.param({0: -1, 1: 5}, id="below zero"),
    ],
)
def test_verify_raises_at_a_broken_rule(change: dict[int, int]) -> None:
    inputs = torch.full((3, 10), 2)
    attacked = inputs.clone()
    attacked[:, :2] = 5
    verify(inputs, attacked, share=0.2, vocabulary_size=VOCABULARY)
    attacked[1] = 2
    for place, token in change.items():
        attacked[1, place] = token
    with pytest.raises(AssertionError):
        verify(inputs, attacked, share=0.2, vocabulary_size=VOCABULARY)


def test_verify_raises_at_another_shape() -> None:
    inputs = torch.full((3, 10), 2)
    with pytest.raises(AssertionError):
        verify(inputs, inputs[:, :-1], share=0.0, vocabulary_size=VOCABULARY)

"""Every attack of the table changes the share it is allowed, and each one follows its definition."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.attacks.checks import check_attack
from cvnlp.language.attacks.hotflip import hotflip
from cvnlp.language.attacks.swaps import typos
from cvnlp.language.attacks.table import ATTACKS
from cvnlp.language.models import MODELS, Network, Recurrent
from make_networks import language_model

SHARES = [0.05, 0.1, 0.29, 0.5, 1.0]
RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 9
LETTERS = ["<unk>", *"abcdefgh"]
REPLACING = sorted(name for name, attack in ATTACKS.items() if attack.exact)  # the others move tokens


def build(name: str, **options: object) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, VOCABULARY, embedding_size=6, hidden_size=8, initial_range=0.6, **options).eval()


def make_texts(count: int = 5, length: int = 40) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(0, VOCABULARY, (count, length + 1), generator=torch.Generator().manual_seed(1))
    return tokens[:, :-1], tokens[:, 1:]


def run(method: str, network: Network, inputs: Tensor, targets: Tensor, share: float, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return ATTACKS[method].function(network, inputs, targets, share=share, generator=generator, vocabulary=LETTERS)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("method", REPLACING)
def test_replacements_are_exactly_the_share_and_never_unknown(method: str, share: float) -> None:
    network = build("lstm")
    inputs, targets = make_texts()
    attacked = run(method, network, inputs, targets, share)
    changed = attacked != inputs
    assert attacked.shape == inputs.shape and attacked.dtype == inputs.dtype
    assert changed.sum(1).tolist() == [int(share * 40 + 1e-9)] * 5
    assert attacked[changed].min() >= 1 and attacked.max() < VOCABULARY
    check_attack(method, inputs, attacked, share=share, vocabulary_size=VOCABULARY, exact=True)


@pytest.mark.parametrize("length", [1, 2, 7, 13])
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_short_texts_keep_the_share(method: str, length: int) -> None:
    inputs, targets = make_texts(length=length)
    for share in SHARES:
        attacked = run(method, build("rnn"), inputs, targets, share)
        check_attack(method, inputs, attacked, share=share, vocabulary_size=VOCABULARY, exact=ATTACKS[method].exact)


@pytest.mark.parametrize("method", ["swap", "typo"])
@pytest.mark.parametrize("share", SHARES)
def test_swapped_tokens_move_by_one_place(method: str, share: float) -> None:
    inputs, targets = make_texts(count=50)
    attacked = run(method, build("lstm"), inputs, targets, share)
    check_attack(method, inputs, attacked, share=share, vocabulary_size=VOCABULARY, exact=False)
    for text, changed in zip(inputs.tolist(), attacked.tolist(), strict=True):
        places = [place for place in range(len(text)) if text[place] != changed[place]]
        pairs = list(zip(places[::2], places[1::2], strict=True))
        assert all(after == before + 1 for before, after in pairs)
        assert all([text[before], text[after]] == [changed[after], changed[before]] for before, after in pairs)


def test_swaps_reach_the_share_where_there_are_enough_places() -> None:
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
    attacked = typos(build("rnn"), text, text, share=1.0, generator=generator, vocabulary=letters)
    changed = (attacked != text).any(0).tolist()
    assert changed == [True, True, True, False, True, True, False, False, True, True, False, False, False, False]


WORDS = ["<unk>", "<eos>", "form", "from", ",", "a", "aa", "<url>"]


def test_typos_of_words_swap_two_letters_and_are_mostly_unknown() -> None:
    text = torch.tensor([[2, 3, 4, 5, 6, 7, 1, 0]] * 300)
    generators = (torch.Generator().manual_seed(seed) for seed in range(9))
    found = [typos(build("rnn"), text, text, share=1.0, generator=one, vocabulary=WORDS) for one in generators]
    assert {tuple(row) for row in torch.cat(found)[:, 2:].tolist()} == {(4, 5, 6, 7, 1, 0)}  # no two letters to swap
    assert {int(token) for token in torch.cat(found)[:, 0]} == {0, 3}  # "ofrm" and "fomr" are no words, "from" is one
    assert {int(token) for token in torch.cat(found)[:, 1]} == {0, 2}


def test_typos_are_at_random_words_and_keep_the_share() -> None:
    text = torch.tensor([[2, 4, 3, 4, 2, 4, 3, 4]] * 200)
    generator = torch.Generator().manual_seed(0)
    attacked = typos(build("rnn"), text, text, share=0.25, generator=generator, vocabulary=WORDS)
    assert ((attacked != text).sum(1) == 2).all()
    assert (attacked != text).any(0).tolist() == [True, False] * 4


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_a_share_of_zero_changes_nothing(method: str) -> None:
    inputs, targets = make_texts()
    assert torch.equal(run(method, build("lstm"), inputs, targets, 0.0), inputs)


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_attack_depends_on_no_random_state_but_the_generator(method: str) -> None:
    inputs, targets = make_texts()
    first = run(method, build("lstm"), inputs, targets, 0.2)
    network = build("lstm")
    torch.manual_seed(99)
    assert torch.equal(first, run(method, network, inputs, targets, 0.2))


def test_seeds_replace_different_tokens() -> None:
    inputs, targets = make_texts()
    first, other = (run("random", build("lstm"), inputs, targets, 0.2, seed) for seed in (1, 2))
    assert not torch.equal(first, other)


def test_random_replacement_can_write_every_token_except_the_unknown() -> None:
    inputs = torch.full((200, 10), 4)
    attacked = run("random", build("rnn"), inputs, inputs, 1.0)
    assert set(attacked.unique().tolist()) == set(range(1, VOCABULARY)) - {4}


def test_random_replacement_can_replace_every_place() -> None:
    inputs, targets = make_texts(count=200, length=10)
    assert (run("random", build("rnn"), inputs, targets, 0.1) != inputs).any(0).all()


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_attack_does_not_change_network_and_texts(method: str, name: str) -> None:
    network = build(name)
    inputs, targets = make_texts()
    before = {path: tensor.clone() for path, tensor in network.state_dict().items()}
    tokens = inputs.clone()
    run(method, network, inputs, targets, 0.3)
    assert all(torch.equal(before[path], tensor) for path, tensor in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(inputs, tokens)
    assert not network.training


def test_hotflip_attacks_each_text_independently() -> None:
    network = build("lstm").double()
    inputs, targets = make_texts()
    together = run("hotflip", network, inputs, targets, 0.2)
    alone = [run("hotflip", network, inputs[[i]], targets[[i]], 0.2) for i in range(len(inputs))]
    assert torch.equal(together, torch.cat(alone))


def slope(network: Recurrent, inputs: Tensor, targets: Tensor, place: int, token: int, step: float = 1e-6) -> float:
    """Finite-difference slope of the loss of one text as the embedding at a place moves towards another token."""

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
def test_hotflip_takes_the_replacement_with_the_steepest_rise_of_the_loss(name: str, scale: float, text: int) -> None:
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


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_size_of_the_batches_does_not_change_hotflip(batch_size: int) -> None:
    network, (inputs, targets) = build("lstm").double(), make_texts()
    generator = torch.Generator().manual_seed(1)
    attacked = hotflip(
        network, inputs, targets, share=0.2, generator=generator, vocabulary=LETTERS, batch_size=batch_size
    )
    assert torch.equal(attacked, run("hotflip", network, inputs, targets, 0.2))


@pytest.mark.parametrize("method", sorted(name for name, attack in ATTACKS.items() if attack.needs_embedding))
def test_network_without_an_embedding_is_refused(method: str) -> None:
    inputs, targets = make_texts()
    with pytest.raises(ValueError, match=f"{method} needs the gradient at an embedding, which Ngram does not have"):
        run(method, language_model("ngram", VOCABULARY), inputs, targets, 0.2)

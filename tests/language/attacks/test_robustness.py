"""Perplexity under attack: stronger attacks and larger shares raise it, for every attack of the table."""

import copy
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.domains import AttackResult
from cvnlp.language.attacks import attack as attack_network
from cvnlp.language.attacks import hotflip, robustness
from cvnlp.language.attacks.table import ATTACKS, Attack
from cvnlp.language.batches import Windows, evenly_spaced_excerpts
from cvnlp.language.inference import scoring
from cvnlp.language.models import Network
from cvnlp.language.models.recurrent import Lstm
from cvnlp.launch.devices import device
from cvnlp.params.attacks import LanguageAttack
from make_networks import language_model


@pytest.fixture(scope="module")
def trained(language_data: Path) -> Lstm:
    """A small network, trained a little on the plays."""
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


METHODS = (*ATTACKS, "worst_case")
OPTIONS = LanguageAttack(shares=[0.3, 0.1], excerpts=12, length=30)


def attack(network: Network, data: Path, **changes: int) -> AttackResult:
    return attack_with_examples(network, data, **changes)[0]


def attack_with_examples(network: Network, data: Path, **changes: int) -> tuple[AttackResult, dict[str, np.ndarray]]:
    """The result, and the arrays that are written for the report."""
    facts, options = prepared.read_facts(data, LanguageFacts), OPTIONS.model_copy(update=changes)
    with tempfile.TemporaryDirectory() as folder:
        result = attack_network(network.to(device()), data, facts, options, Path(folder))
        return result, {path.stem: np.load(path) for path in Path(folder).iterdir()}


def test_hotflip_is_stronger_than_random_replacement(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data).scores
    assert scores["perplexity_clean"] < 12  # of some 40 characters
    for share in (0.1, 0.3):
        assert scores["perplexity_clean"] < scores[f"perplexity_random_{share}"] < scores[f"perplexity_hotflip_{share}"]


def test_larger_shares_raise_the_perplexity(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data).scores
    for method in METHODS:
        assert scores["perplexity_clean"] < scores[f"perplexity_{method}_0.1"] < scores[f"perplexity_{method}_0.3"]


def test_every_attack_is_made_at_every_share(trained: Lstm, language_data: Path) -> None:
    result = attack(trained, language_data)
    rows = [*result.table.itertuples()]
    assert [(row.share, row.method) for row in rows] == [(share, name) for share in ("0.1", "0.3") for name in METHODS]
    assert result.scores["tokens"] == 12 * 30
    assert all(result.scores[f"perplexity_{row.method}_{row.share}"] == row.perplexity for row in rows)


def test_examples_are_one_text_before_and_after_each_attack(trained: Lstm, language_data: Path) -> None:
    _, examples = attack_with_examples(trained, language_data)
    share = float(examples["share"])
    assert share in OPTIONS.shares
    clean = str(examples["clean"])
    assert set(examples) == {"clean", "share", *ATTACKS}
    for method in ATTACKS:
        attacked = str(examples[method])
        assert len(attacked) == len(clean) == 30
        changed = sum(mine != other for mine, other in zip(attacked, clean, strict=True))
        assert changed == int(share * 30 + 1e-9) if ATTACKS[method].exact else 0 < changed <= int(share * 30 + 1e-9)


def test_table_states_the_share_that_changed(trained: Lstm, language_data: Path) -> None:
    for row in attack(trained, language_data).table.itertuples():
        allowed = int(float(row.share) * 30 + 1e-9) / 30
        exact = row.method in ATTACKS and ATTACKS[row.method].exact
        assert row.changed == pytest.approx(allowed) if exact else 0 < row.changed <= allowed + 1e-9


def test_share_of_zero_leaves_the_perplexity_of_the_clean_text(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data, shares=[0.0]).scores
    assert {scores[f"perplexity_{method}_0"] for method in METHODS} == {scores["perplexity_clean"]}


def test_shares_that_differ_in_the_eighth_digit_have_scores_of_their_own(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data, shares=[0.1, 0.10000001]).scores
    assert {"perplexity_random_0.1", "perplexity_random_0.10000001"} <= set(scores)


@pytest.mark.parametrize("factor", [1e-2, 1.0, 50.0])
def test_hotflip_finds_a_gradient_however_certain_the_network_is(
    trained: Lstm, language_data: Path, factor: float
) -> None:
    network = copy.deepcopy(trained)
    with torch.no_grad():
        network.output.weight *= factor
        network.output.bias *= factor
    scores = attack(network, language_data, shares=[0.1]).scores
    assert scores["perplexity_hotflip_0.1"] > scores["perplexity_random_0.1"] >= scores["perplexity_clean"]


@pytest.mark.parametrize("factor", [1e6, 1e38, math.inf])
def test_diverged_network_has_finite_scores(trained: Lstm, language_data: Path, factor: float) -> None:
    network = copy.deepcopy(trained)
    with torch.no_grad():
        network.output.weight *= factor
    scores = attack(network, language_data).scores
    assert all(math.isfinite(value) for value in scores.values())
    assert scores["perplexity_clean"] > 1e20


def test_network_without_an_embedding_is_attacked_by_all_others(language_data: Path) -> None:
    network = language_model("ngram", prepared.read_facts(language_data, LanguageFacts).vocabulary_size, order=3)
    result, examples = attack_with_examples(network, language_data)
    assert set(result.table["method"]) == set(METHODS) - {"hotflip"}
    assert "hotflip" not in examples and not any("hotflip" in name for name in result.scores)


def test_size_of_the_batches_does_not_change_the_scores(
    trained: Lstm, language_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = attack(trained, language_data).scores
    monkeypatch.setattr(scoring, "MAX_LOGITS", 1)
    assert attack(trained, language_data).scores == pytest.approx(scores, rel=1e-4)


def test_attacks_are_deterministic(trained: Lstm, language_data: Path) -> None:
    (first, examples), (again, same) = (attack_with_examples(trained, language_data) for _ in range(2))
    assert first.scores == again.scores and first.table.equals(again.table)
    assert examples.keys() == same.keys() and all(np.array_equal(examples[name], same[name]) for name in examples)


def test_clean_perplexity_is_the_one_of_the_excerpts(trained: Lstm, language_data: Path) -> None:
    """One excerpt of the length of the test text is the whole test text, from the start token on."""
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
    with pytest.raises(
        ValueError, match=rf"attack\.length: {length + 1} is more than the {length} tokens of the test text"
    ):
        attack(trained, language_data, length=length + 1)


def excerpt_nats(network: Network, data: Path, method: str, share: float) -> torch.Tensor:
    """Mean nats of each excerpt under an attack."""
    facts, vocabulary = prepared.read_facts(data, LanguageFacts), files.read_json(data / "vocabulary.json")
    inputs, targets = evenly_spaced_excerpts(data, "test", facts.start, count=12, length=30, key="attack.length")
    generator = torch.Generator().manual_seed(1)
    attacked = ATTACKS[method].function(
        network, inputs, targets, share=share, generator=generator, vocabulary=vocabulary
    )
    return scoring.token_nats(network, attacked, targets).double().mean(1)


def test_worst_case_is_that_of_every_excerpt(trained: Lstm, language_data: Path) -> None:
    network = trained.cpu()
    scores = attack(trained, language_data).scores
    for share in (0.1, 0.3):
        nats = torch.stack([excerpt_nats(network.to(device()), language_data, name, share) for name in ATTACKS])
        expected = nats.amax(0).mean().exp().item()
        assert scores[f"perplexity_worst_case_{share}"] == pytest.approx(expected, rel=1e-4)
        assert all(scores[f"perplexity_worst_case_{share}"] >= scores[f"perplexity_{name}_{share}"] for name in ATTACKS)


def test_interval_of_the_worst_case_contains_it(trained: Lstm, language_data: Path) -> None:
    result = attack(trained, language_data)
    for share in (0.1, 0.3):
        name = f"perplexity_worst_case_{share}"
        assert result.scores[f"{name}_low"] < result.scores[name] < result.scores[f"{name}_high"]
    assert (result.table["low"] < result.table["perplexity"]).all()
    assert (result.table["perplexity"] < result.table["high"]).all()


def test_no_flag_is_raised_for_a_trained_network(trained: Lstm, language_data: Path) -> None:
    scores = attack(trained, language_data).scores
    flags = {name: value for name, value in scores.items() if name.startswith("flag_")}
    names = ("worst_below_random", "larger_share_weaker", "randomised_output")
    assert flags == {f"flag_{name}": 0.0 for name in names}


def test_flag_of_gradients_does_not_apply_without_an_embedding(language_data: Path) -> None:
    network = language_model("ngram", prepared.read_facts(language_data, LanguageFacts).vocabulary_size, order=3)
    scores = attack(network, language_data).scores
    assert "flag_worst_below_random" not in scores and scores["flag_randomised_output"] == 0.0


def test_dropout_left_on_raises_a_flag(language_data: Path) -> None:
    facts = prepared.read_facts(language_data, LanguageFacts)
    torch.manual_seed(0)
    network = language_model("lstm", facts.vocabulary_size, embedding_size=8, hidden_size=16, dropout=0.5)
    assert attack(network.eval(), language_data).scores["flag_randomised_output"] == 0.0
    result = attack(network.train(), language_data)
    assert result.scores["flag_randomised_output"] == 1.0
    assert result.scores["flags_raised"] >= 1.0 and "flags_raised" in result.metrics


def test_reversed_gradients_raise_a_flag(trained: Lstm, language_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    correct = hotflip._input_gradient
    monkeypatch.setattr(hotflip, "_input_gradient", lambda *arguments: -correct(*arguments))
    assert attack(trained, language_data).scores["flag_worst_below_random"] == 1.0


def test_an_attack_that_fails_at_a_larger_share_raises_a_flag(
    trained: Lstm, language_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(
        network: Network, inputs: torch.Tensor, *others: object, share: float, **options: object
    ) -> torch.Tensor:
        return inputs if share > 0.2 else hotflip.hotflip(network, inputs, *others, share=share, **options)

    monkeypatch.setitem(robustness.ATTACKS, "hotflip", Attack(broken, exact=False, needs_embedding=True))
    for name in ("random", "swap", "typo"):
        monkeypatch.delitem(robustness.ATTACKS, name)
    monkeypatch.setitem(robustness.ATTACKS, "random", Attack(lambda network, inputs, *_, **__: inputs, exact=False))
    assert attack(trained, language_data).scores["flag_larger_share_weaker"] == 1.0

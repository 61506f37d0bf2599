"""The n-gram model: compared with a slow one in plain Python, and through the whole pipeline."""

import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvnlp import files, networks
from cvnlp.data import prepared
from cvnlp.language import batches
from cvnlp.language.attacks import robustness
from cvnlp.language.data import prepare
from cvnlp.language.evaluation import evaluate
from cvnlp.language.inference.predict import predict
from cvnlp.language.inference.scoring import text_nats, token_nats
from cvnlp.language.insight import analyse
from cvnlp.language.models import input_format, multiply_adds, ngram
from cvnlp.language.models.ngram import DISCOUNTS, Ngram, estimate_discounts
from cvnlp.language.models.output import cross_entropy
from cvnlp.language.report import insight_section, run_section
from cvnlp.language.training import GradientFreeTask
from cvnlp.launch import devices
from cvnlp.params.attacks import LanguageAttack
from cvnlp.params.datasets import LanguageDataset
from cvnlp.params.evaluation import LanguageEvaluate
from cvnlp.params.insight import LanguageInsight
from cvnlp.params.runs import LanguageTrain
from cvnlp.training import trainer
from make_networks import language_model, make_config
from make_trainings import InterruptionError, Wrap, run_training
from report_contents import figure_names, texts

VOCABULARY, LINE_END = 9, 3  # token 0 is in no text, as the unknown one of characters
SHAPES = [(order, across) for order in (1, 2, 3, 5, 8) for across in (True, False)]


def make_text(length: int = 400, seed: int = 1) -> np.ndarray:
    """Tokens 1 to 8 with repetitions, and occasional line ends."""
    generator = np.random.default_rng(seed)
    tokens = [1, 2]
    while len(tokens) < length:
        likely = 1 + (3 * tokens[-1] + tokens[-2]) % (VOCABULARY - 1)
        tokens.append(int(likely if generator.random() < 0.6 else generator.integers(1, VOCABULARY)))
    return np.array(tokens)


def learned(text: np.ndarray, dtype: torch.dtype = torch.float64, **options: Any) -> Ngram:
    """An n-gram model that has learned `text`, which begins after a line end."""
    network = language_model("ngram", VOCABULARY, **options).to(dtype)
    targets = torch.from_numpy(text)[None]
    network.learn(torch.cat([torch.tensor([[LINE_END]]), targets[:, :-1]], dim=1), targets, epoch=0)
    return network.eval()


def after(network: Ngram, history: list[int]) -> np.ndarray:
    return network(torch.tensor([history]))[0][0, -1].exp().numpy()


# A slow model, from the definitions --------------------------------------------------------------------------------


class Slow:
    """Modified Kneser-Ney by its definition, with exact fractions and dictionaries."""

    def __init__(self, text: list[int], order: int, across_lines: bool) -> None:
        self.order, self.across_lines = order, across_lines
        self.counts = [self._count(text, length) for length in range(order)]
        self.discounts = [self._discounts(counts) for counts in self.counts]

    def visible(self, history: list[int]) -> tuple[int, ...]:
        """The longest context that ends `text`."""
        seen = history[max(0, len(history) - self.order + 1) :]
        if not self.across_lines and LINE_END in seen:
            seen = seen[len(seen) - 1 - seen[::-1].index(LINE_END) :]
        return tuple(seen)

    def _count(self, text: list[int], length: int) -> dict[tuple[int, ...], Counter[int]]:
        """Counts of tokens by context of this length, or numbers of different preceding tokens and line starts."""
        counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        before: set[tuple[int, ...]] = set()
        whole = [LINE_END, *text]
        for place in range(1, len(whole)):
            history = self.visible(whole[:place])
            if len(history) == length:
                counts[history][whole[place]] += 1
            elif len(history) > length:
                before.add((*history[len(history) - length - 1 :], whole[place]))
        for _, *context, token in before:
            counts[tuple(context)][token] += 1
        return counts

    @staticmethod
    def _discounts(counts: dict[tuple[int, ...], Counter[int]]) -> list[Fraction]:
        sizes = Counter(count for followers in counts.values() for count in followers.values())
        if not all(sizes[number] for number in (1, 2, 3, 4)):
            return [Fraction(discount) for discount in DISCOUNTS]
        share = Fraction(sizes[1], sizes[1] + 2 * sizes[2])
        found = [k - (k + 1) * share * Fraction(sizes[k + 1], sizes[k]) for k in (1, 2, 3)]
        return found if min(found) > 0 else [Fraction(discount) for discount in DISCOUNTS]

    def probability(self, token: int, history: list[int]) -> Fraction:
        return self._interpolated(token, self.visible(history))

    def _interpolated(self, token: int, context: tuple[int, ...]) -> Fraction:
        lower = self._interpolated(token, context[1:]) if context else Fraction(1, VOCABULARY)
        followers = self.counts[len(context)].get(context)
        if not followers:
            return lower
        discounts = {count: self.discounts[len(context)][min(count, 3) - 1] for count in followers.values()}
        own = followers[token] - discounts[followers[token]] if followers[token] else Fraction(0)
        taken = sum(discounts[count] for count in followers.values())
        return (own + taken * lower) / sum(followers.values())


@pytest.mark.parametrize("length", [1, 3, 30, 400])
@pytest.mark.parametrize(("order", "across"), SHAPES)
def test_probabilities_equal_the_definition(order: int, across: bool, length: int) -> None:
    text = make_text(length)
    slow, network = Slow(text.tolist(), order, across), learned(text, order=order, across_lines=across)
    assert network.discounts.numpy() == pytest.approx(np.array(slow.discounts, dtype=float), rel=1e-12)
    for history in ([LINE_END], [LINE_END, *text[:2]], text[:20].tolist(), [*text[-9:], 0], make_text(30, 2).tolist()):
        expected = [float(slow.probability(token, history)) for token in range(VOCABULARY)]
        assert after(network, history) == pytest.approx(expected, rel=1e-12)


def test_a_bigram_worked_by_hand() -> None:
    """b a b b a after a line end a, with the discounts 0.5 and 1 of counts 1 and 2, as there are too few to estimate.

    a came after b alone, b after a and b. So p(a) = 0.5/3 + 1.5/3 * 1/3, p(b) = 1/3 + 1.5/3 * 1/3, p(unknown) = 1/6.
    After a, twice b: p(b|a) = 1/2 + 1/2 p(b). After b, twice a and once b: p(a|b) = 1/3 + 1.5/3 p(a).
    """
    network = language_model("ngram", 3, order=2).double()
    text = torch.tensor([[1, 2, 1, 2, 2, 1]])  # 1 is a, 2 is b
    network.learn(text[:, :-1], text[:, 1:], epoch=0)
    assert after(network, [0]) == pytest.approx([1 / 6, 1 / 3, 1 / 2])
    assert after(network, [1]) == pytest.approx([1 / 12, 1 / 6, 3 / 4])
    assert after(network, [2]) == pytest.approx([1 / 12, 1 / 2, 5 / 12])
    assert network.counts.tolist() == [1, 2, 2, 2, 1]


def test_order_1_ignores_the_context() -> None:
    text = make_text()
    network = learned(text, order=1)
    counts = np.bincount(text, minlength=VOCABULARY)
    discounted = np.maximum(counts - DISCOUNTS[2], 0)
    expected = (discounted + (len(text) - discounted.sum()) / VOCABULARY) / len(text)
    assert after(network, [5]) == pytest.approx(expected) == after(network, [0, 1, 2])
    assert network(torch.ones(2, 4, dtype=torch.int64))[1].shape == (2, 0)


# Discounts


def test_discounts_worked_by_hand() -> None:
    counts = torch.tensor([1, 1, 1, 1, 2, 2, 3, 4, 9])  # n = 4, 2, 1, 1: the share n1 / (n1 + 2 n2) is a half
    assert estimate_discounts(counts) == pytest.approx((1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 * 1 / 2, 3 - 4 * 0.5 * 1 / 1))


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_default_discounts_are_used_if_a_count_of_counts_is_0(missing: int) -> None:
    present = [count for count in (1, 1, 1, 1, 2, 2, 3, 4) if count != missing]
    assert estimate_discounts(torch.tensor(present)) == DISCOUNTS
    assert estimate_discounts(torch.tensor([], dtype=torch.int64)) == DISCOUNTS


def test_default_discounts_are_used_if_a_discount_is_negative() -> None:
    assert estimate_discounts(torch.tensor([1] * 8 + [2] * 4 + [3] + [4] * 9)) == DISCOUNTS


# Properties


@pytest.mark.parametrize(("order", "across"), SHAPES)
def test_probabilities_are_positive_and_sum_to_1_after_seen_and_unseen_contexts(order: int, across: bool) -> None:
    network = learned(make_text(), order=order, across_lines=across)
    seen, unseen = make_text(50), np.random.default_rng(3).integers(0, VOCABULARY, 50)
    logits, _ = network(torch.from_numpy(np.stack([seen, unseen, np.zeros_like(seen)])))
    assert torch.isfinite(logits).all()
    assert logits.exp().sum(2).numpy() == pytest.approx(np.ones((3, 50)), abs=1e-12)
    assert torch.allclose(logits.log_softmax(2), logits, atol=1e-12)
    single = learned(make_text(), torch.float32, order=order, across_lines=across)(torch.from_numpy(seen)[None])[0]
    assert single.dtype == torch.float32
    assert single.exp().sum(2).numpy() == pytest.approx(np.ones((1, 50)), abs=1e-6)


def test_before_learning_all_tokens_are_equally_likely() -> None:
    assert after(language_model("ngram", VOCABULARY), [1, 2, 3]) == pytest.approx(np.full(VOCABULARY, 1 / VOCABULARY))


def test_an_unseen_context_backs_off_to_its_known_suffix() -> None:
    network = learned(make_text())
    assert np.array_equal(after(network, [0, 0, 0, 5]), after(network, [5]))
    assert np.array_equal(after(network, [0] * 30), after(network, [0]))
    assert not np.allclose(after(network, [1, 2, 4, 5]), after(network, [5]))


def test_tokens_beyond_the_order_are_ignored() -> None:
    network, text = learned(make_text(), order=3), make_text().tolist()
    assert np.array_equal(after(network, text[:20]), after(network, text[18:20]))
    assert not np.array_equal(after(network, text[18:20]), after(network, text[19:20]))


@pytest.mark.parametrize("across", [True, False])
def test_contexts_span_line_ends_only_with_across_lines(across: bool) -> None:
    text = make_text()
    network = learned(text, order=4, across_lines=across)
    place = int(np.flatnonzero(text == LINE_END)[3])
    known, line = text[place - 2 : place + 1].tolist(), [LINE_END]
    assert np.array_equal(after(network, known), after(network, line)) != across


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("cut", [1, 2, 7, 19])
def test_windows_do_not_change_the_output(cut: int, across: bool) -> None:
    network = learned(make_text(), across_lines=across)
    tokens = torch.from_numpy(np.stack([make_text(20), make_text(20, 5)]))
    whole, end = network(tokens)
    first, state = network(tokens[:, :cut])
    second, state = network(tokens[:, cut:], state)
    assert torch.equal(torch.cat([first, second], dim=1), whole)
    assert torch.equal(state, end)
    assert end.tolist() == tokens[:, -4:].tolist()


def test_texts_are_independent_and_outputs_causal(monkeypatch: pytest.MonkeyPatch) -> None:
    network = learned(make_text())
    tokens = torch.from_numpy(make_text(60).reshape(4, 15))
    together = network(tokens)[0]
    assert torch.equal(torch.cat([network(row[None])[0] for row in tokens]), together)
    assert torch.equal(network(tokens[:, :9])[0], together[:, :9])
    monkeypatch.setattr(Ngram, "positions_at_once", 7)
    assert torch.equal(network(tokens)[0], together)


def test_learning_again_discards_earlier_counts() -> None:
    text = torch.from_numpy(make_text())[None]
    once, twice = language_model("ngram", VOCABULARY), language_model("ngram", VOCABULARY)
    once.learn(text[:, :-1], text[:, 1:], epoch=0)
    for number in (3, 1):
        twice.learn(text[:, :-number], text[:, number:], epoch=0)
    assert all(torch.equal(tensor, twice.state_dict()[name]) for name, tensor in once.state_dict().items())


def test_tables_are_sorted_without_repetition() -> None:
    text = make_text()
    network = learned(text, order=3)
    assert (network.ngrams.diff() > 0).all() and (network.contexts.diff() > 0).all()
    whole = [LINE_END, *text.tolist()]
    threes = set(zip(whole, whole[1:], whole[2:], strict=False))
    assert len(network.ngrams) == len(set(whole[1:])) + len(set(itertools.pairwise(whole))) + len(threes)
    assert int(network.counts[-len(threes) :].sum()) == len(whole) - 2


@pytest.mark.parametrize("dense", [0, 1, 100, 10**9])
@pytest.mark.parametrize("keys", [[], [7], [5, 5, 5], [3, 900, 3, -1, 40, 900]])
def test_unique_keys_are_those_of_torch(keys: list[int], dense: int) -> None:
    many = torch.tensor(keys, dtype=torch.int64)
    for found, expected in zip(
        ngram.unique_keys(many, dense=dense), torch.unique(many, return_inverse=True), strict=True
    ):
        assert found.tolist() == expected.tolist()


# On disk


@pytest.mark.parametrize("options", [{}, {"order": 1}, {"order": 3, "across_lines": False}])
def test_a_loaded_model_equals_the_saved_one(options: dict[str, Any], tmp_path: Path) -> None:
    network = learned(make_text(), torch.float32, **options)
    config = make_config("language", "ngram", {"vocabulary_size": VOCABULARY}, **options)
    networks.save(tmp_path, network, config)
    loaded = networks.load(tmp_path)[0].cpu()
    state = loaded.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    tokens = torch.from_numpy(make_text(50, 4))[None]
    assert torch.equal(loaded(tokens)[0], network(tokens)[0])
    assert networks.parameter_count(loaded) == len(network.ngrams) + 3 * network.order


def test_tables_of_another_order_or_network_are_refused(tmp_path: Path) -> None:
    config = make_config("language", "ngram", {"vocabulary_size": VOCABULARY}, order=4)
    networks.save(tmp_path, learned(make_text(), torch.float32, order=5), config)
    with pytest.raises(ValueError, match="damaged or does not fit"):
        networks.load(tmp_path)
    other = make_config("language", "rnn", {"vocabulary_size": VOCABULARY})
    networks.save(tmp_path, networks.build(other), other)
    files.write_json(tmp_path / networks.CONFIG, config.to_json())
    with pytest.raises(ValueError, match="damaged or does not fit"):
        networks.load(tmp_path)


# Through the pipeline


def make_options(**changes: Any) -> LanguageTrain:
    return LanguageTrain(**({"epochs": 1} | changes))


@pytest.fixture
def train(language_data: Path, tmp_path: Path) -> Callable[..., tuple[trainer.Fitted, Path]]:
    """Trains as the stage does; returns the result and the folder of the saved model."""
    count = iter(range(100))

    def run(resume: str | None = None, wrap: Wrap = lambda task: task, **changes: Any) -> tuple[trainer.Fitted, Path]:
        number = next(count)
        trained = run_training(
            "language",
            language_data,
            tmp_path / f"model-{number}",
            resume=tmp_path / (resume or f"resume-{number}"),
            wrap=wrap,
            named=("ngram", {"order": 4}),
            options=make_options(**changes),
        )
        return trained.fitted, tmp_path / f"model-{number}"

    return run


def weights(folder: Path) -> bytes:
    return (folder / networks.WEIGHTS).read_bytes()


def test_training_counts_the_text_once(train: Callable[..., Any], language_data: Path) -> None:
    fitted, folder = train()
    tokens, facts = prepared.load_array(language_data, "train"), prepared.read_facts(language_data)
    expected = language_model("ngram", facts.vocabulary_size, order=4)
    targets = torch.from_numpy(tokens.astype(np.int64))[None]
    expected.learn(torch.cat([torch.tensor([[facts.start]]), targets[:, :-1]], dim=1), targets, epoch=0)
    network = networks.load(folder)[0].cpu()
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in expected.state_dict().items())
    (row,) = fitted.history
    assert set(row) == {"epoch", "step", "validation_nll", "validation_perplexity"}
    assert fitted.examples == len(tokens) and fitted.best_epoch == 0 and row["step"] == 1
    state, nats = None, []
    for inputs, targets, _ in batches.validation_batches(language_data, make_options()):
        found, state = network(inputs, state)
        nats.append(cross_entropy(found, targets)[targets >= 0])
    assert row["validation_nll"] == pytest.approx(torch.cat(nats).mean().item(), rel=1e-5)


def test_batch_size_window_and_seed_do_not_change_counts(train: Callable[..., Any]) -> None:
    first = train()[1]
    for changes in ({"batch_size": 3, "window": 7}, {"batch_size": 10**6}, {"patience": 1, "clip": 0.1, "lr": 9.0}):
        assert weights(train(**changes)[1]) == weights(first)


def test_mixed_precision_gives_the_same_counts(train: Callable[..., Any]) -> None:
    whole, mixed = train(), train(precision="bf16")
    assert weights(mixed[1]) == weights(whole[1])
    assert mixed[0].history == whole[0].history


def test_an_interrupted_training_ends_in_the_same_bytes(train: Callable[..., Any]) -> None:
    def interrupt(task: Any) -> Any:
        class Interrupted(task):
            def validation_step(self, batch: Any) -> None:
                raise InterruptionError

        return Interrupted

    whole, folder = train()
    with pytest.raises(InterruptionError):
        train(resume="state", wrap=interrupt)
    for _ in range(2):  # the second time the training is already finished
        resumed, again = train(resume="state")
        assert resumed.history == whole.history and resumed.examples == whole.examples
        assert weights(again) == weights(folder)


def test_parameters_include_the_counts_and_discounts(train: Callable[..., Any], language_data: Path) -> None:
    network, text = networks.load(train()[1])[0], prepared.load_array(language_data, "train")
    ends = range(1, len(text) + 1)
    grams = {tuple(text[max(0, end - size) : end].tolist()) for size in (1, 2, 3, 4) for end in ends}
    assert networks.parameter_count(network) >= len(grams) + 3 * 4
    assert multiply_adds(network) == 0


def test_without_epochs_it_has_no_counts(train: Callable[..., Any]) -> None:
    fitted, folder = train(epochs=0)
    assert not fitted.history
    assert not len(networks.load(folder)[0].ngrams)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 2}, r"train\.epochs: 2 is too many.*take 1, or 0"),
        ({"epoch_tokens": 500}, r"train\.epoch_tokens: 500 .*leave it out"),
        ({"average": "ema"}, r"train\.average: ema .*take none"),
    ],
)
def test_options_for_gradient_descent_are_refused(changes: dict[str, Any], message: str) -> None:
    network = language_model("ngram", VOCABULARY)
    with pytest.raises(ValueError, match=message):
        GradientFreeTask(network, make_options(**changes), folder=Path(), seed=1)


@pytest.fixture
def trained(train: Callable[..., Any]) -> Ngram:
    return networks.load(train()[1])[0]


def test_the_window_changes_no_score(trained: Ngram, language_data: Path) -> None:
    text = torch.from_numpy(prepared.load_array(language_data, "test").astype(np.int64))[None]
    whole = token_nats(trained, text[:, :-1], text[:, 1:])
    assert whole.mean() < 1.0  # the made plays repeat themselves
    for window in (13, 10**6):
        assert torch.equal(token_nats(trained, text[:, :-1], text[:, 1:], window=window), whole)


def test_it_is_evaluated_attacked_and_reported(trained: Ngram, language_data: Path, tmp_path: Path) -> None:
    facts = prepared.read_facts(language_data)
    options = LanguageEvaluate(samples=2, sample_tokens=30)
    scores = evaluate(trained, language_data, facts, options, tmp_path / "details")
    assert scores["perplexity"] < 3
    options = LanguageAttack(shares=[0.1, 0.3], excerpts=4, length=30)
    (tmp_path / "examples").mkdir()
    result = robustness.attack(trained, language_data, facts, options, tmp_path / "examples")
    attacked, methods = result.scores, set(result.table["method"])
    assert "random" in methods and "hotflip" not in methods  # which needs a gradient
    assert attacked["perplexity_clean"] < attacked["perplexity_random_0.1"] < attacked["perplexity_random_0.3"]
    section = run_section(tmp_path / "details", tmp_path / "examples", tmp_path / "figures", data=tmp_path)
    assert any("HotFlip needs the gradient" in text for text in texts(section))


def test_its_insight_covers_contexts_but_not_gradients(trained: Ngram, language_data: Path, tmp_path: Path) -> None:
    facts, options = prepared.read_facts(language_data), LanguageInsight(excerpts=20, length=20)
    fresh = language_model("ngram", facts.vocabulary_size, order=4).to(devices.device())
    scores = analyse(trained, fresh, language_data, facts, options, tmp_path / "in")
    written = {path.name for path in (tmp_path / "in").iterdir()}
    assert "context.csv" in written and "gradients.csv" not in written
    nats = [scores[f"nats_context_{tokens}"] for tokens in (1, 2, 4, 8, 16)]
    assert nats[0] > nats[1] > nats[2] == nats[3] == nats[4]  # an order of 4 reads three tokens
    assert "context.png" in figure_names(insight_section(tmp_path / "in", tmp_path / "out"))


def test_served_probabilities_equal_the_model(trained: Ngram, language_data: Path) -> None:
    config = make_config("language", "ngram", input_format(prepared.read_facts(language_data)))
    texts = np.array(prepared.load_array(language_data, "test")[:12]).reshape(2, 6)
    expected = trained.cpu()(torch.from_numpy(texts.astype(np.int64)))[0][:, -1].exp()
    assert predict(trained, config, texts) == pytest.approx(expected.numpy(), rel=1e-5)


# The published figure


@pytest.mark.mirror
@pytest.mark.parametrize(("across", "published"), [(False, 141.2), (True, 141.1)])
def test_the_perplexity_of_the_penn_treebank(across: bool, published: float, tmp_path: Path) -> None:
    """Mikolov and Zweig 2012 report 141.2 for 5-grams, with each line as a text of its own."""
    if not (Path(os.environ.get("CVNLP_MIRROR", "/nowhere")) / "ptb").is_dir():
        pytest.skip("CVNLP_MIRROR names no folder with ptb")
    options = LanguageDataset(domain="language", source="ptb", seed=1, tokens="whitespace")
    facts = prepare(tmp_path / "raw", tmp_path / "made", options)
    network = language_model("ngram", facts.vocabulary_size, order=5, across_lines=across).to(devices.device())
    ((inputs, targets, _),) = batches.whole_text(tmp_path / "made")
    network.learn(inputs.to(devices.device()), targets.to(devices.device()), epoch=0)
    nats = text_nats(network, prepared.load_array(tmp_path / "made", "test"), facts.start)
    assert np.exp(nats.mean(dtype=np.float64)) == pytest.approx(published, abs=0.1)

"""What `make bench` measures: the one list of all measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bench import attacks, characters, images, loading, memory, no_op, preparing, start_up, training_loop, words
from bench.results import Better, Pairs
from bench.setting import Setting

ROUNDS = 3


@dataclass(frozen=True)
class Measure:
    """One measure: `run` returns the pairs of one row, or of several by the end of their names.

    `against`: the baseline. `bound`: of the ratio ours / baseline, that the project wants to keep. `quick`: whether
    the quick form has it; `quick_rounds`: how often, where a round takes minutes.
    """

    name: str
    unit: str
    better: Better
    against: str
    run: Callable[[Setting], Pairs | dict[str, Pairs]]
    quick: bool = True
    quick_rounds: int = ROUNDS
    bound: float | None = None

    def rounds(self, *, full: bool) -> int:
        return ROUNDS if full else self.quick_rounds

    def rows(self, setting: Setting) -> Mapping[str, Pairs]:
        """The pairs by the names of their rows."""
        found = self.run(setting)
        return (
            {f"{self.name}_{end}": pairs for end, pairs in found.items()}
            if isinstance(found, dict)
            else {self.name: found}
        )


MNIST_EXAMPLE, WORD_EXAMPLE = "pytorch/examples mnist", "pytorch/examples word_language_model"
MEASURES = (
    Measure("loading_images", "images/s", "higher", "ImageFolder and DataLoader", loading.measure_images),
    Measure("loading_text", "tokens/s", "higher", "single windows in a DataLoader", loading.measure_text),
    Measure("preparing_images", "s", "lower", "decoding alone in a loop", preparing.measure),
    *(
        Measure(
            f"trainer_batch_{size}",
            "images/s",
            "higher",
            "hand-written loop",
            partial(training_loop.measure, batch_size=size),
            bound=bound,
        )
        for size, bound in ((64, 0.95), (512, 0.98))
    ),
    *(
        Measure(
            name,
            "s",
            "lower",
            "Adversarial Robustness Toolbox",
            partial(attacks.measure, method=method),
            quick_rounds=1,
        )
        for name, method in attacks.METHODS.items()
    ),
    *(
        Measure(
            f"start_up_{stage}",
            "s",
            "lower",
            f"import {start_up.IMPORTS.get(stage, 'torch')}",
            partial(start_up.measure, stage=stage),
            quick_rounds=1,
            bound=bound,
        )
        for stage, bound in (("train", 1.6), ("evaluate", 1.1), ("attack", 1.1), ("insight", 1.1), ("report", None))
    ),
    Measure("no_op_repro", "s", "lower", "import dvc.repo", no_op.measure),
    *(
        Measure(f"memory_{run}", "MiB", "lower", "import torch", partial(memory.measure, run=run), quick=run == "cnn")
        for run in ("cnn", "lstm")
    ),
    Measure(
        "mnist_seconds_to",
        "s",
        "lower",
        MNIST_EXAMPLE,
        partial(images.measure, dataset="mnist"),
        quick_rounds=1,
        bound=0.05,
    ),
    *(
        Measure(
            f"ptb_perplexity_after_{minutes}_min",
            "",
            "lower",
            WORD_EXAMPLE,
            partial(words.measure_perplexity, minutes=minutes),
            quick=minutes == 1,
            quick_rounds=1,
        )
        for minutes in (1, 3, 10)
    ),
    Measure(
        "fashion_seconds_to",
        "s",
        "lower",
        MNIST_EXAMPLE,
        partial(images.measure, dataset="fashion_mnist"),
        quick_rounds=1,
    ),
    Measure("word_model", "tokens/s", "higher", WORD_EXAMPLE, words.measure_speed, quick=False),
    Measure("plays_seconds_to_1.50", "s", "lower", "char-rnn", characters.measure, quick=False),
)

"""Seconds per epoch of the networks of benchmarks/params.yaml, on an idle machine, into reports/timings.json.

    make timings                                       # those that are not measured yet
    make timings ARGUMENTS="--runs cnn_mnist --again"

Each is trained for two epochs (a network that learns one layer per epoch: for all layers), and the result is discarded.
The first epoch is a warm-up and not counted. An epoch is one pass over the training split, or `epoch_tokens` of it, and
one over the validation split. Runs of fewer than two epochs are skipped: rules are not trained, n-grams counted once.
Needs the prepared data of `make benchmarks`, or of `dvc repro prepare` in benchmarks/.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from cvnlp import domains, files, networks, provenance
from cvnlp.benchmark import build
from cvnlp.data import prepared
from cvnlp.params import Params, pick, read_params
from cvnlp.report import aggregate
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger

FOLDER = Path(__file__).parent
EPOCHS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=FOLDER / "params.yaml", help="the file params.yaml")
    parser.add_argument("--data", type=Path, default=FOLDER / "data/prepared", help="folder of the prepared data")
    parser.add_argument(
        "--timings", type=Path, default=FOLDER / "reports/timings.json", help="the file that is written"
    )
    parser.add_argument(
        "--runs", nargs="+", help="only these, by their names in the table: without the number of the seed"
    )
    parser.add_argument("--again", action="store_true", help="also measure networks that have been measured")
    try:
        measure_all(**vars(parser.parse_args()))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def measure_all(params: Path, data: Path, timings: Path, runs: list[str] | None, again: bool) -> None:
    """Add missing networks to the file `timings`, one after the other."""
    settings = read_params(params)
    groups = aggregate.group_by_seed(settings.runs)
    done = files.read_json(timings) if timings.is_file() else {}
    kept = {name: timing for name, timing in done.items() if name in groups}  # without networks that were removed
    chosen = {name: pick(params, "runs", groups, name)[0] for name in runs or groups}
    for name, run in chosen.items():
        if settings.runs[run].train.epochs < EPOCHS:
            print(f"{name}: skipped, a run of fewer than {EPOCHS} epochs", flush=True)
            continue
        key = build.configuration(settings, run)
        if not again and kept.get(name, {}).get("configuration") == key:
            continue
        kept[name] = measure(settings, run, data) | {"configuration": key}
        files.write_json(timings, kept)
        print(f"{name}: {kept[name]['seconds_per_epoch']:.1f} seconds per epoch", flush=True)


def measure(settings: Params, run: str, data: Path) -> dict[str, Any]:
    """Train for a few epochs and return the time per epoch, without the first one."""
    block, folder = settings.runs[run], data / settings.runs[run].dataset
    trainer.seed_everything(block.seed)
    network = networks.build(networks.describe(block.domain, block.model, prepared.read_facts(folder)))
    epochs = max(EPOCHS, getattr(network, "min_epochs", EPOCHS))
    options = block.train.model_copy(update={"epochs": epochs, "patience": None})
    half = domains.DOMAINS[block.domain].training
    task = trainer.make_task(half, network, options, folder=folder, seed=block.seed)
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as resume:
        logger = EpochLogger(lambda metrics, epoch: marks.append(task.seconds))
        fitted = trainer.fit(task, run=run, resume=Path(resume), logger=logger)
    seconds = (marks[-1] - marks[0]) / (epochs - 1)
    speed = {"seconds_per_epoch": seconds, "examples_per_second": fitted.examples / epochs / seconds}
    return speed | networks.hardware() | provenance.machine()


if __name__ == "__main__":
    main()

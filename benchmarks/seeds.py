"""Test scores of the default runs with several seeds, into reports/seeds.json: `make seeds`, after `make repro`.

    python benchmarks/seeds.py [--seeds 1 2 3] [--runs lstm gru] [--jobs 2]

A seed fixes the initial weights, the order of the data and dropout; the splits stay the same. The score of a run's own
seed is that of the pipeline. Runs without training have one score. `cvnlp repro` takes the spread for the line with
which it ends, the README for its tables.
"""

import argparse
import os
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from cvnlp import domains, files
from cvnlp.params import pick, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.seeds import scoring

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", nargs="+", help="only these (default: all runs of params.yaml)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of params.yaml")
    try:
        measure(**vars(parser.parse_args()))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def measure(seeds: list[int], runs: list[str] | None, jobs: int, root: Path) -> None:
    """Train, score, and add mean, standard deviation and number of seeds of each run to the file."""
    paths = ProjectPaths(root)
    settings = read_params(paths.params)
    chosen = {name: pick(paths.params, "runs", settings.runs, name) for name in runs or settings.runs}
    trained = {name: seeds if one.train.epochs else seeds[:1] for name, one in chosen.items()}
    pairs = [(name, seed) for name, numbers in trained.items() for seed in numbers]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        scores = dict(zip(pairs, pool.map(score, *zip(*pairs, strict=True), [root] * len(pairs)), strict=True))
    found = files.read_json(paths.seeds) if paths.seeds.is_file() else {}
    for name, numbers in trained.items():
        found[name] = _summary([scores[name, seed] for seed in numbers])
    files.write_json(paths.seeds, {name: found[name] for name in found if name in settings.runs})


def score(name: str, seed: int, root: Path) -> float:
    """The first of the half's headline scores on the test split, after training with this seed (or read, see above)."""
    paths = ProjectPaths(root)
    block = read_params(paths.params).runs[name]
    run = paths.run(name, block.dataset)
    metric = domains.DOMAINS[block.domain].main_score.name
    if seed == block.seed and run.scores.is_file():
        return float(files.read_scores(run.scores)[metric])
    with tempfile.TemporaryDirectory() as folder:
        seeded = block.model_copy(update={"seed": seed})
        scores = scoring.score(name, seeded, run.prepared, Path(folder))
    print(f"{name} seed {seed}: {metric} {scores[metric]:.4f}", flush=True)
    return scores[metric]


def _summary(scores: list[float]) -> dict[str, object]:
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return {"mean": statistics.mean(scores), "standard_deviation": spread, "seeds": len(scores), "scores": scores}


if __name__ == "__main__":
    main()

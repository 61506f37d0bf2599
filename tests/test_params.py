"""params.yaml is refused with the full path of the key, the value given and the valid choices."""

import copy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from cvnlp.params import Params, pick, read_params

GOOD = {
    "datasets": {
        "pictures": {"domain": "vision", "source": "mnist_sample", "seed": 1, "validation": 10, "test": 10},
        "letters": {
            "domain": "language",
            "source": "shakespeare",
            "seed": 1,
            "tokens": "characters",
            "validation": ["hamlet"],
            "test": ["othello"],
        },
        "words": {
            "domain": "language",
            "source": "shakespeare",
            "seed": 1,
            "tokens": "words",
            "vocabulary_size": 100,
            "validation": ["hamlet"],
            "test": ["othello"],
        },
    },
    "own": {
        "album": {"domain": "vision", "path": "my pictures", "seed": 1, "size": [32, 24], "validation": 0.1, "test": 5},
        "diary": {"domain": "language", "path": "/home/me/diary.txt", "seed": 1, "tokens": "characters"},
    },
    "runs": {
        "first": {
            "dataset": "pictures",
            "seed": 1,
            "model": {"name": "mlp"},
            "train": {"epochs": 1, "lr": 0.1, "optimiser": {"name": "sgd"}},
            "evaluate": {},
            "attack": {"eps": [0.1]},
            "insight": {},
            "domain": "vision",
        },
        "second": {
            "domain": "language",
            "dataset": "letters",
            "seed": 1,
            "model": {"name": "lstm", "hidden_size": 4},
            "train": {"epochs": 1},
            "evaluate": {},
            "attack": {"shares": [0.1]},
            "insight": {},
        },
    },
}
REMOVED = object()
CANVASES = {"count": 2, "size": [64, 64], "pictures": 3, "background": 0.2}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with the value at each dotted path replaced, added or REMOVED."""
    document = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *steps, last = path.split(".")
        block: Any = document
        for step in steps:
            block = block[step]
        if value is REMOVED:
            del block[last]
        else:
            block[last] = value
    return document


def write(folder: Path, content: Any) -> Path:
    path = folder / "params.yaml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        YAML(typ="safe").dump(content, path)
    return path


def read(folder: Path, content: Any) -> Params:
    return read_params(write(folder, content))


def refusal(folder: Path, content: Any) -> str:
    with pytest.raises(ValueError, match=r"params\.yaml") as caught:
        read(folder, content)
    return str(caught.value)


def test_smallest_file_is_read_with_the_defaults(tmp_path: Path) -> None:
    params = read(tmp_path, GOOD)
    assert params.runs["first"].train.batch_size == 128
    assert params.runs["first"].train.optimiser.schedule == "cosine"
    assert params.runs["second"].evaluate.samples == 2
    assert params.runs["second"].evaluate.dynamic is params.runs["second"].evaluate.cache is None
    assert params.datasets["letters"].vocabulary_size is None


def test_defaults_depend_on_the_kind_chosen(tmp_path: Path) -> None:
    train = read(tmp_path, GOOD).runs["first"].train
    assert (train.average, train.average_decay, train.average_start) == ("none", None, None)
    assert (train.optimiser.betas, train.optimiser.eps, train.optimiser.warmup) == (None, None, 0.05)
    changes = {
        "runs.first.train.average": "ema",
        "runs.first.train.optimiser": {"name": "adamw", "schedule": "one_cycle"},
        "runs.second.train.average": "swa",
        "runs.second.train.optimiser": {"name": "adamw", "schedule": "one_cycle", "warmup": 0.1, "betas": [0.8, 0.9]},
    }
    params = read(tmp_path, changed(changes))
    first, second = params.runs["first"].train, params.runs["second"].train
    assert (first.average_decay, first.average_start) == (0.999, 0.0)
    assert (first.optimiser.betas, first.optimiser.eps, first.optimiser.warmup) == ([0.9, 0.999], 1e-8, 0.3)
    assert (second.average_decay, second.average_start) == (None, 0.75)
    assert (second.optimiser.betas, second.optimiser.warmup) == ([0.8, 0.9], 0.1)
    changes = {
        "runs.first.train.average": "nt_asgd",
        "runs.first.train.optimiser": {"name": "sgd", "schedule": "plateau"},
        "runs.second.train.optimiser": {"name": "sgd", "schedule": "exponential", "hold_epochs": 4},
    }
    params = read(tmp_path, changed(changes))
    first, second = params.runs["first"].train, params.runs["second"].train
    assert (first.average_decay, first.average_start, first.average_interval) == (None, None, 5)
    assert (first.optimiser.factor, first.optimiser.hold_epochs, first.optimiser.warmup) == (0.25, None, 0.0)
    assert (second.optimiser.factor, second.optimiser.hold_epochs, second.optimiser.warmup) == (0.5, 4, 0.0)


def test_canvases_are_read(tmp_path: Path) -> None:
    params = read(tmp_path, changed({"datasets.pictures.canvases": CANVASES}))
    assert params.datasets["pictures"].canvases.model_dump() == CANVASES


def test_own_files_are_read_with_the_defaults(tmp_path: Path) -> None:
    own = read(tmp_path, GOOD).own
    assert own["album"].model_dump() == {
        "domain": "vision",
        "path": "my pictures",
        "seed": 1,
        "size": [32, 24],
        "fit": "crop",
        "colour": "rgb",
        "background": "black",
        "validation": 0.1,
        "test": 5,
        "canvases": None,
        "duplicates": "keep",
        "max_skipped": 0.01,
    }
    assert own["diary"].encoding is None
    assert own["diary"].validation is None  # whether the files bring it is known when they are read


def test_run_may_use_own_files(tmp_path: Path) -> None:
    assert read(tmp_path, changed({"runs.first.dataset": "album"})).runs["first"].dataset == "album"
    assert sorted(read(tmp_path, GOOD).all_datasets) == ["album", "diary", "letters", "pictures", "words"]


def test_source_that_brings_its_splits_is_read_without_them(tmp_path: Path) -> None:
    split = {"domain": "language", "source": "ptb", "seed": 1, "tokens": "whitespace"}
    assert read(tmp_path, changed({"datasets.trees": split})).datasets["trees"].test is None


def test_file_without_a_block_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, {"datasets": {}, "runs": {}}).runs == {}


@pytest.mark.parametrize(
    ("change", "block"),
    [
        ("seed", lambda params: params.runs["first"]),
        ("epochs", lambda params: params.runs["first"].train),
        ("name", lambda params: params.runs["first"].train.optimiser),
        ("validation", lambda params: params.datasets["pictures"]),
        ("runs", lambda params: params),
    ],
)
def test_what_is_read_is_frozen(tmp_path: Path, change: str, block: Any) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(block(read(tmp_path, GOOD)), change, None)


@pytest.mark.parametrize(("written", "value"), [("1e-3", 0.001), ("1E2", 100.0), ("2", 2.0), ("0.5", 0.5)])
def test_number_is_read_as_dvc_reads_it(tmp_path: Path, written: str, value: float) -> None:
    text = write(tmp_path, changed({"runs.first.train.lr": "LR"})).read_text(encoding="utf-8")
    params = read(tmp_path, text.replace("LR", written))
    assert params.runs["first"].train.lr == value
    assert isinstance(params.runs["first"].train.lr, float)


TRAIN_KEYS = ["valid keys: ", "augment", "batch_size", "epochs", "lr", "optimiser", "precision"]
REFUSED = [
    # adapting to the test text
    pytest.param(
        {"runs.second.evaluate.dynamic": {"lr": 0.1}},
        ["runs.second.evaluate.dynamic.lr", "list", "0.1"],
        id="a step that is no list",
    ),
    pytest.param(
        {"runs.second.evaluate.dynamic": {"lr": [-0.1]}},
        ["runs.second.evaluate.dynamic.lr.0", "greater than or equal to 0", "-0.1"],
        id="a step away from what was read",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"share": [0.1, 1.0]}},
        ["runs.second.evaluate.cache.share.1", "less than 1", "1.0"],
        id="all of the probability to the cache",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"size": 0}},
        ["runs.second.evaluate.cache.size", "greater than 0", "0"],
        id="a cache of nothing",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"theta": 1}},
        ["runs.second.evaluate.cache.theta: unknown key", "share", "sharpness", "size"],
        id="unknown key of the cache",
    ),
    pytest.param(
        {"runs.first.evaluate.cache": {}}, ["runs.first.evaluate.cache: unknown key"], id="a cache of pictures"
    ),
    # unknown keys: the full path, and what there is
    pytest.param({"extra": 1}, ["extra: unknown key", "datasets", "runs"], id="unknown key at the top"),
    pytest.param({"datasets.pictures.sede": 1}, ["datasets.pictures.sede: unknown key", "seed"], id="in a data set"),
    pytest.param({"runs.first.atack": {}}, ["runs.first.atack: unknown key", "attack", "evaluate"], id="in a run"),
    pytest.param({"runs.first.train.epoch": 3}, ["runs.first.train.epoch: unknown key", *TRAIN_KEYS], id="in train"),
    pytest.param(
        {"runs.second.train.label_smoothing": 0.1},
        ["runs.second.train.label_smoothing: unknown key", "epoch_tokens", "window"],
        id="key of the other half",
    ),
    pytest.param(
        {"runs.first.train.optimiser.beta": 0.9},
        ["runs.first.train.optimiser.beta: unknown key", "momentum", "weight_decay"],
        id="in the optimiser",
    ),
    pytest.param(
        {"runs.first.train.augment": {"mirror": 1}},
        ["runs.first.train.augment.mirror: unknown key", "flip", "rotation", "scale", "shift"],
        id="in the augmentation",
    ),
    pytest.param(
        {"runs.second.model.hiden": 3},
        ["runs.second.model.hiden: unknown key", "dropout", "hidden_size"],
        id="in the model",
    ),
    # wrong types: the full path, and what was given
    pytest.param({"runs.first.train.epochs": "many"}, ["runs.first.train.epochs", "integer", "'many'"], id="text, int"),
    pytest.param({"runs.first.train.epochs": "3"}, ["runs.first.train.epochs", "integer", "'3'"], id="quoted, int"),
    pytest.param({"runs.first.train.epochs": 3.0}, ["runs.first.train.epochs", "integer", "3.0"], id="float, int"),
    pytest.param({"runs.first.train.epochs": True}, ["runs.first.train.epochs", "integer", "True"], id="bool, int"),
    pytest.param({"runs.first.train.epochs": None}, ["runs.first.train.epochs", "integer", "None"], id="null, int"),
    pytest.param({"runs.first.train.lr": True}, ["runs.first.train.lr", "number", "True"], id="bool, float"),
    pytest.param({"runs.first.train.lr": "1e-3"}, ["runs.first.train.lr", "number", "'1e-3'"], id="text, float"),
    pytest.param({"runs.first.seed": "one"}, ["runs.first.seed", "integer", "'one'"], id="text, seed"),
    pytest.param({"runs.first.model": "net"}, ["runs.first.model", "dictionary", "'net'"], id="text, model"),
    pytest.param({"runs.first.attack.eps": 0.1}, ["runs.first.attack.eps", "list", "0.1"], id="number, list"),
    pytest.param({"runs.first": 3}, ["runs.first", "dictionary", "3"], id="number, run"),
    pytest.param({"runs": None}, ["runs", "dictionary", "None"], id="null, runs"),
    pytest.param({"datasets.letters.test": "othello"}, ["datasets.letters.test", "list", "'othello'"], id="text, list"),
    pytest.param(
        {"runs.second.model.hidden_size": 2.5}, ["runs.second.model.hidden_size", "integer", "2.5"], id="float, option"
    ),
    # wrong numbers
    pytest.param({"runs.first.train.epochs": -1}, ["runs.first.train.epochs", "0", "-1"], id="negative epochs"),
    pytest.param({"runs.first.train.lr": 0}, ["runs.first.train.lr", "greater than 0", "given: 0"], id="lr 0"),
    pytest.param({"runs.first.train.lr": float("inf")}, ["runs.first.train.lr", "inf"], id="infinite lr"),
    pytest.param({"runs.first.train.lr": float("nan")}, ["runs.first.train.lr", "nan"], id="lr that is no number"),
    pytest.param({"runs.first.attack.eps": [0.1, 1.5]}, ["runs.first.attack.eps.1", "1", "1.5"], id="eps over 1"),
    pytest.param({"runs.first.attack.eps": [-0.1]}, ["runs.first.attack.eps.0", "0", "-0.1"], id="eps below 0"),
    pytest.param({"runs.first.attack.eps": []}, ["runs.first.attack.eps", "at least 1", "[]"], id="no eps"),
    pytest.param({"runs.second.model.dropout": 1.0}, ["runs.second.model.dropout", "1.0"], id="dropout of all"),
    pytest.param({"datasets.pictures.test": 0}, ["datasets.pictures.test", "above 0", "given: 0"], id="no test"),
    pytest.param({"datasets.letters.test": []}, ["datasets.letters.test", "names", "[]"], id="no test play"),
    pytest.param({"runs.first.seed": -1}, ["runs.first.seed", "-1"], id="negative seed of a run"),
    pytest.param({"runs.first.seed": 2**32}, ["runs.first.seed", str(2**32)], id="seed beyond 32 bits"),
    pytest.param({"datasets.pictures.seed": -1}, ["datasets.pictures.seed", "-1"], id="negative seed of a data set"),
    # missing keys
    pytest.param({"runs": REMOVED}, ["runs: missing key"], id="no runs"),
    pytest.param({"runs.first.dataset": REMOVED}, ["runs.first.dataset: missing key"], id="no data set"),
    pytest.param({"runs.first.train.epochs": REMOVED}, ["runs.first.train.epochs: missing key"], id="no epochs"),
    pytest.param({"runs.first.attack.eps": REMOVED}, ["runs.first.attack.eps: missing key"], id="no eps at all"),
    pytest.param({"runs.first.domain": REMOVED}, ["runs.first.domain", "language, vision"], id="no domain"),
    pytest.param(
        {"runs.first.model.name": REMOVED}, ["runs.first.model.name", "cnn, lenet5, linear, mlp"], id="no model name"
    ),
    # unknown names: what was given, and what there is
    pytest.param(
        {"runs.first.dataset": "picture"},
        ["runs.first.dataset", "'picture'", "album, diary, letters, pictures, words"],
        id="unknown data set",
    ),
    pytest.param(
        {"runs.first.model.name": "nett"},
        ["runs.first.model.name", "'nett'", "cnn, lenet5, linear, mlp"],
        id="unknown model",
    ),
    pytest.param(
        {"runs.first.model.name": "lstm"},
        ["runs.first.model.name", "'lstm'", "cnn, lenet5, linear, mlp"],
        id="model of the other half",
    ),
    pytest.param({"runs.first.model.name": ["net"]}, ["runs.first.model.name", "['net']"], id="model name in a list"),
    pytest.param(
        {"datasets.pictures.source": "digit"},
        ["datasets.pictures.source", "'digit'", "cifar10, fashion_mnist"],
        id="unknown source",
    ),
    pytest.param(
        {"datasets.pictures.source": "shakespeare"},
        ["datasets.pictures.source", "'shakespeare'", "cifar10, fashion_mnist"],
        id="source of the other half",
    ),
    pytest.param(
        {"runs.first.domain": "audio"},
        ["runs.first.domain", "language, vision", "'audio' is unknown"],
        id="unknown domain of a run",
    ),
    pytest.param(
        {"datasets.words.domain": "audio"},
        ["datasets.words.domain", "language, vision", "'audio' is unknown"],
        id="unknown domain of a data set",
    ),
    pytest.param(
        {"runs.first.train.optimiser.name": "adam"},
        ["runs.first.train.optimiser.name", "'adamw'", "'sgd'", "given: 'adam'"],
        id="unknown optimiser",
    ),
    pytest.param(
        {"runs.first.train.precision": "16"},
        ["runs.first.train.precision", "'32'", "'bf16'", "given: '16'"],
        id="unknown precision",
    ),
    pytest.param(
        {"datasets.letters.tokens": "bytes"},
        ["datasets.letters.tokens", "'characters'", "'words'", "given: 'bytes'"],
        id="unknown tokens",
    ),
    pytest.param({"runs.a/b": GOOD["runs"]["first"]}, ["runs.a/b", "'a/b'"], id="run name with a slash"),
    pytest.param({"runs.a-b": GOOD["runs"]["first"]}, ["runs.a-b", "'a-b'"], id="run name with a hyphen"),
    pytest.param({"datasets.": GOOD["datasets"]["words"]}, ["datasets.", "''"], id="empty data set name"),
    # contradictions
    pytest.param(
        {"runs.first.dataset": "letters"},
        ["runs.first.domain", "'vision'", "'letters'", "'language'"],
        id="domain of run and data set",
    ),
    pytest.param(
        {"datasets.letters.test": ["othello", "hamlet"]},
        ["datasets.letters", "validation and test", "hamlet"],
        id="play in validation and test",
    ),
    pytest.param(
        {"datasets.letters.test": ["othello", "othello"]}, ["datasets.letters", "test", "othello"], id="play twice"
    ),
    pytest.param(
        {"datasets.pictures.test": REMOVED},
        ["datasets.pictures.test", "mnist_sample has no test split"],
        id="split that nobody makes",
    ),
    pytest.param(
        {"datasets.pictures.source": "mnist"},
        ["datasets.pictures.test", "mnist has its own test split", "given: 10"],
        id="split that the source brings",
    ),
    pytest.param({"own.pictures": GOOD["own"]["album"]}, ["own.pictures", "datasets"], id="name in both tables"),
    pytest.param({"runs.first.dataset": "diary"}, ["runs.first.domain", "'diary'", "'language'"], id="own, other half"),
    # a user's own files
    pytest.param({"own.album.path": REMOVED}, ["own.album.path: missing key"], id="no path"),
    pytest.param(
        {"own.album.path": "~/pictures"}, ["own.album.path", "~", "'~/pictures'"], id="path that DVC leaves as it is"
    ),
    pytest.param({"own.album.path": "it's"}, ["own.album.path", "quotation"], id="path that ends the shell's quotes"),
    pytest.param({"own.album.path": ""}, ["own.album.path", "path"], id="empty path"),
    pytest.param(
        {"own.album.source": "mnist_sample"}, ["own.album.source: unknown key", "path"], id="source of own files"
    ),
    pytest.param(
        {"datasets.pictures.path": "x"}, ["datasets.pictures.path: unknown key", "source"], id="path of a source"
    ),
    pytest.param({"own.album.size": 32}, ["own.album.size", "list", "32"], id="size that is no pair"),
    pytest.param({"own.album.size": [32]}, ["own.album.size", "at least 2", "[32]"], id="size of one side"),
    pytest.param({"own.album.size": [0, 32]}, ["own.album.size.0", "greater than 0"], id="size 0"),
    pytest.param({"own.album.fit": "squeeze"}, ["own.album.fit", "'crop'", "'pad'", "'stretch'"], id="unknown fit"),
    pytest.param({"own.album.colour": "cmyk"}, ["own.album.colour", "'grey'", "'rgb'"], id="unknown colour"),
    pytest.param({"own.album.duplicates": True}, ["own.album.duplicates", "'keep'", "'drop'"], id="unknown duplicates"),
    pytest.param({"own.album.max_skipped": 1.0}, ["own.album.max_skipped", "less than 1"], id="all skipped"),
    pytest.param({"own.album.test": 1.5}, ["own.album.test", "fraction", "1.5"], id="share above 1"),
    pytest.param({"own.album.test": "half"}, ["own.album.test", "fraction", "'half'"], id="share in letters"),
    pytest.param({"own.diary.test": 3}, ["own.diary.test", "documents", "3"], id="number of documents"),
    pytest.param({"own.diary.encoding": "utf-9"}, ["own.diary.encoding", "utf-8", "'utf-9'"], id="unknown encoding"),
    pytest.param({"own.diary.minimum_count": 0}, ["own.diary.minimum_count", "greater than 0"], id="minimum count 0"),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "momentum": 0.9}},
        ["runs.first.train.optimiser", "momentum", "sgd", "adamw", "0.9"],
        id="adamw with momentum",
    ),
    pytest.param(
        {"runs.first.train.optimiser.nesterov": True},
        ["runs.first.train.optimiser", "nesterov", "momentum above 0"],
        id="nesterov without momentum",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "nesterov": False}},
        ["runs.first.train.optimiser", "nesterov", "sgd"],
        id="nesterov of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "eps": 1e-8}},
        ["runs.first.train.optimiser", "eps", "adamw", "muon"],
        id="eps of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "weight_decay": 0.1, "decay_all": False}},
        ["runs.first.train.optimiser", "decay_all", "adamw and sgd"],
        id="spared decay of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "schedule": "one_cycle"}},
        ["runs.first.train.optimiser", "one_cycle", "cosine, linear or constant"],
        id="one momentum for the two of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "sgd", "kernel_lr": 0.1}},
        ["runs.first.train.optimiser", "kernel_lr", "muon"],
        id="rate of kernels of sgd",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "nesterov": True}},
        ["runs.first.train.optimiser", "nesterov", "sgd"],
        id="nesterov of adamw",
    ),
    pytest.param(
        {"runs.first.train.optimiser.betas": [0.9, 0.99]},
        ["runs.first.train.optimiser", "betas", "adamw"],
        id="betas of sgd",
    ),
    pytest.param(
        {"runs.first.train.optimiser.eps": 1e-6}, ["runs.first.train.optimiser", "eps", "adamw"], id="eps of sgd"
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "betas": [0.9]}},
        ["runs.first.train.optimiser.betas", "at least 2", "[0.9]"],
        id="one beta",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "betas": [0.9, 1.0]}},
        ["runs.first.train.optimiser.betas.1", "less than 1", "1.0"],
        id="beta of 1",
    ),
    pytest.param(
        {"runs.first.train.optimiser.decay_all": False},
        ["runs.first.train.optimiser", "decay_all", "weight_decay above 0"],
        id="nothing decays",
    ),
    pytest.param(
        {"runs.first.train.optimiser.schedule": "step"},
        ["runs.first.train.optimiser.schedule", "'cosine'", "'one_cycle'", "'step'"],
        id="unknown schedule",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "sgd", "schedule": "constant", "final": 0.1}},
        ["runs.first.train.optimiser", "final", "constant", "one_cycle"],
        id="end of a constant rate",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "sgd", "schedule": "one_cycle", "warmup": 0.0}},
        ["runs.first.train.optimiser", "one_cycle", "warmup"],
        id="cycle that never rises",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "lowest_momentum": 0.8}},
        ["runs.first.train.optimiser", "lowest_momentum", "one_cycle"],
        id="momentum of another schedule",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "schedule": "one_cycle", "lowest_momentum": 0.95}},
        ["runs.first.train.optimiser", "lowest_momentum", "0.9"],
        id="lowest momentum above the momentum",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "factor": 1.0}},
        ["runs.second.train.optimiser.factor", "less than 1", "1.0"],
        id="factor of a plateau that does not fall",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "factor": 0.5}},
        ["runs.second.train.optimiser", "factor", "schedule: plateau or exponential"],
        id="factor of cosine",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "factor": None}},
        ["runs.second.train.optimiser", "factor: a number with schedule: plateau"],
        id="plateau without factor",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "hold_epochs": 2}},
        ["runs.second.train.optimiser", "hold_epochs", "schedule: exponential"],
        id="held epochs of a plateau",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "exponential", "hold_epochs": 0}},
        ["runs.second.train.optimiser.hold_epochs", "greater than 0", "0"],
        id="no epoch at the whole rate",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "warmup": 0.1}},
        ["runs.second.train.optimiser", "warmup belongs to cosine, linear, constant and one_cycle", "plateau"],
        id="warmup of a plateau",
    ),
    pytest.param(
        {"runs.second.train.average": "nt_asgd", "runs.second.train.average_start": 0.5},
        ["runs.second.train", "average_start", "average: ema or swa"],
        id="start of a triggered average",
    ),
    pytest.param(
        {"runs.second.train.average": "swa", "runs.second.train.average_interval": 5},
        ["runs.second.train", "average_interval", "average: nt_asgd"],
        id="interval of a plain average",
    ),
    pytest.param(
        {"runs.second.train.average": "nt_asgd", "runs.second.train.average_interval": 0},
        ["runs.second.train.average_interval", "greater than 0", "0"],
        id="interval 0",
    ),
    pytest.param(
        {"runs.second.train.window_lengths": "random"},
        ["runs.second.train.window_lengths", "'fixed'", "'variable'", "'random'"],
        id="unknown window lengths",
    ),
    pytest.param(
        {"runs.second.train.window_lengths": "variable", "runs.second.train.window": 9},
        ["runs.second.train", "window_lengths: variable", "window of at least 10, not 9"],
        id="window too short to vary",
    ),
    pytest.param(
        {"runs.first.train.window_lengths": "variable"},
        ["runs.first.train.window_lengths: unknown key"],
        id="window lengths of pictures",
    ),
    pytest.param(
        {"runs.first.train.average": "sma"},
        ["runs.first.train.average", "'ema'", "'swa'", "'none'", "'sma'"],
        id="unknown average",
    ),
    pytest.param({"runs.first.train.average": ["ema"]}, ["runs.first.train.average", "'ema'"], id="list of averages"),
    pytest.param(
        {"runs.first.train.average_decay": 0.99},
        ["runs.first.train", "average_decay", "average: ema"],
        id="decay of no average",
    ),
    pytest.param(
        {"runs.first.train.average": "swa", "runs.first.train.average_decay": 0.99},
        ["runs.first.train", "average_decay", "average: ema"],
        id="decay of a plain average",
    ),
    pytest.param(
        {"runs.second.train.average_start": 0.5},
        ["runs.second.train", "average_start", "average: ema or swa"],
        id="start of no average",
    ),
    pytest.param(
        {"runs.first.train.average": "ema", "runs.first.train.average_start": 1.0},
        ["runs.first.train.average_start", "less than 1", "1.0"],
        id="start of an average after the end",
    ),
    pytest.param(
        {"runs.first.train.class_weights": "inverse"},
        ["runs.first.train.class_weights", "'none'", "'balanced'", "'inverse'"],
        id="unknown class weights",
    ),
    pytest.param(
        {"runs.second.train.class_weights": "none"},
        ["runs.second.train.class_weights: unknown key"],
        id="class weights of text",
    ),
    pytest.param({"runs.first.train.prune": {"skip": 1}}, ["runs.first.train.prune.skip", "less than 1"], id="skip 1"),
    pytest.param(
        {"runs.first.train.prune": {"share": 0.5}}, ["runs.first.train.prune.share: unknown key"], id="share pruned"
    ),
    pytest.param({"runs.first.train.augment": {"flip": 1}}, ["runs.first.train.augment.flip", "boolean"], id="flip 1"),
    pytest.param(
        {"runs.first.train.augment": {"flip": "random"}},
        ["runs.first.train.augment.flip", "False, True or 'alternating'", "'random'"],
        id="unknown flip",
    ),
    pytest.param(
        {"runs.first.train.augment": {"crop": 1.5}}, ["runs.first.train.augment.crop", "integer", "1.5"], id="crop 1.5"
    ),
    pytest.param(
        {"runs.first.train.augment": {"crop_fill": "reflect"}},
        ["runs.first.train.augment", "crop_fill", "crop above 0"],
        id="fill of no crop",
    ),
    pytest.param(
        {"runs.first.train.augment": {"erasing_fill": "mean"}},
        ["runs.first.train.augment", "erasing_fill", "erasing above 0"],
        id="fill of nothing erased",
    ),
    pytest.param(
        {"datasets.pictures.canvases": CANVASES | {"backgrounds": 1}},
        ["datasets.pictures.canvases.backgrounds: unknown key", "background, count, pictures, size"],
        id="unknown key of canvases",
    ),
    pytest.param(
        {"datasets.pictures.canvases": CANVASES | {"background": 1.0}},
        ["datasets.pictures.canvases.background", "less than 1", "1.0"],
        id="nothing but background",
    ),
    pytest.param(
        {"own.album.canvases": CANVASES | {"size": [64]}},
        ["own.album.canvases.size", "at least 2 items", "[64]"],
        id="canvases of one side",
    ),
    pytest.param(
        {"datasets.letters.canvases": CANVASES}, ["datasets.letters.canvases: unknown key"], id="canvases of text"
    ),
    pytest.param(
        {"runs.first.insight.detection_threshold": 1.5},
        ["runs.first.insight.detection_threshold", "less than or equal to 1", "1.5"],
        id="detection_threshold 1.5",
    ),
    pytest.param(
        {"runs.first.train.augment": {"erasing": 1.5}}, ["runs.first.train.augment.erasing", "1.5"], id="erasing 1.5"
    ),
    pytest.param(
        {"runs.first.train.augment": {"shear": 90}}, ["runs.first.train.augment.shear", "less than 90"], id="shear 90"
    ),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_mistake_is_refused_with_key_value_and_choices(
    tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    message = refusal(tmp_path, changed(changes))
    assert [words for words in said if words not in message] == [], message
    assert message.startswith(f"{tmp_path / 'params.yaml'}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("runs: [", "not valid YAML", id="open bracket"),
        pytest.param("runs: {}\nruns: {}\n", 'duplicate key "runs"', id="key given twice"),
        pytest.param("runs: !!python/object:os.system {}\n", "not valid YAML", id="object of a program"),
        pytest.param(b"\xff\xfe\x00", "params.yaml", id="no text"),
        pytest.param("", "dictionary", id="empty"),
        pytest.param("[1, 2]", "dictionary", id="list"),
    ],
)
def test_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, content: Any, said: str) -> None:
    message = refusal(tmp_path, content)
    assert said in message
    assert "\n" not in message
    assert ": :" not in message


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.yaml: no such file"):
        read_params(tmp_path / "absent.yaml")


def test_mistakes_in_several_blocks_are_all_listed(tmp_path: Path) -> None:
    changes = {"runs.first.train.epochs": -1, "runs.second.attack.shares": [2.0], "datasets.pictures.test": 1.5}
    lines = refusal(tmp_path, changed(changes)).splitlines()
    keys = {line.removeprefix(f"{tmp_path / 'params.yaml'}: ").split(":")[0] for line in lines}
    assert keys == {"runs.first.train.epochs", "runs.second.attack.shares.0", "datasets.pictures.test"}


def test_mistakes_in_one_block_are_all_listed(tmp_path: Path) -> None:
    changes = {"runs.first.train.epoch": 1, "runs.first.train.learning_rate": 1, "runs.first.train.lr": "fast"}
    message = refusal(tmp_path, changed(changes))
    assert [key for key in changes if key not in message] == []


def test_unknown_names_are_all_listed(tmp_path: Path) -> None:
    changes = {"runs.first.dataset": "gone", "runs.second.dataset": "gone", "datasets.words.source": "gone"}
    message = refusal(tmp_path, changed(changes))
    assert [key for key in changes if key not in message] == []


def test_long_value_is_cut_in_a_message(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed({"runs.first.train.epochs": "x" * 500}))
    assert len(message) < 250 + len(str(tmp_path))


def test_run_is_picked_by_name(tmp_path: Path) -> None:
    params = read(tmp_path, GOOD)
    assert pick(tmp_path / "params.yaml", "runs", params.runs, "second") is params.runs["second"]


def test_picking_an_unknown_run_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: runs: 'third' is unknown; valid choices: first, second"):
        pick(tmp_path / "params.yaml", "runs", read(tmp_path, GOOD).runs, "third")


def test_params_of_this_project_are_read() -> None:
    params = read_params(Path(__file__).parents[1] / "params.yaml")
    assert {run.dataset for run in params.runs.values()} <= params.datasets.keys()

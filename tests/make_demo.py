"""A project whose runs are small networks of every kind, with random weights, and its demo page."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from cvnlp import networks
from cvnlp.data.prepared import LanguageFacts, load_array, read_facts
from cvnlp.language.models import Ngram
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from make_project import make_project

STEPS = 30
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh")
BORDERS = ("zero", "reflect", "replicate", "valid")
IMAGE_MODELS = {
    "rules": "{name: rules}",
    "linear": "{name: linear}",
    "mlp": "{name: mlp, hidden: [12, 8], dropout: 0.2}",
    **{f"cnn_{one}": f"{{name: cnn, blocks: [{{filters: 4, activation: {one}}}], hidden: [6]}}" for one in ACTIVATIONS},
    **{
        f"cnn_{one}": f"{{name: cnn, blocks: [{{filters: 3, kernel_size: 4, padding: {one}, pooling: average}}]}}"
        for one in BORDERS
    },
    "cnn_deep": "{name: cnn, hidden: [], blocks: [{filters: 4, batch_norm: true, stride: 2, pooling: none}, "
    "{filters: 6, dilation: 2, pooling: stride, dropout: 0.1}]}",
    "lenet_table": "{name: lenet5}",
    "lenet_full": "{name: lenet5, subsampling: max, connections: full, activation: relu}",
    "alexnet": "{name: alexnet, width: 0.05}",
    "resnet": "{name: resnet, widths: [4, 6], convolutions: 2, logit_scale: 0.5}",
    "resnet_early": "{name: resnet, widths: [4, 6], pooling: before, activation: silu}",
    "neocognitron": "{name: neocognitron, planes: [6], prototypes: 20}",
}
TEXT_MODELS = {
    "rnn": "{name: rnn, embedding_size: 6, hidden_size: 10}",
    "rnn_relu": "{name: rnn, embedding_size: 6, hidden_size: 7, layers: 2, activation: relu}",
    "gru": "{name: gru, embedding_size: 6, hidden_size: 9, layers: 2, last_size: 5}",
    "lstm": "{name: lstm, embedding_size: 6, hidden_size: 10}",
    "lstm_tied": "{name: lstm, embedding_size: 6, hidden_size: 6, layers: 2, tied: true, embedding_scale: 3.0}",
    "lstm_grouped": "{name: lstm, embedding_size: 6, hidden_size: 6, tied: true, output: grouped, cutoffs: [5, 12]}",
    "lstm_adaptive": "{name: lstm, embedding_size: 6, hidden_size: 18, output: adaptive, cutoffs: [5, 12]}",
    "lstm_chunked": "{name: lstm, embedding_size: 6, hidden_size: 6, output: chunked}",
    "ngram": "{name: ngram, order: 5}",
    "ngram_lines": "{name: ngram, order: 4, across_lines: false}",
}
WORD_MODELS = {
    "words_lstm": "{name: lstm, embedding_size: 5, hidden_size: 7}",
    "words_ngram": "{name: ngram, order: 3}",
}
DATASETS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  colours: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  plays: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [hamlet], test: [othello]}
  words: {domain: language, source: shakespeare, seed: 1, tokens: words, vocabulary_size: 20, validation: [hamlet],
          test: [othello]}
"""
RUN = "  {name}: {{domain: {half}, dataset: {data}, seed: 1, model: {model}, train: {{epochs: 1}}, {stages}}}\n"
STAGES = {
    "vision": "evaluate: {}, attack: {eps: [0.1]}, insight: {}",
    "language": "evaluate: {}, attack: {shares: [0.1]}, insight: {}",
}
EVERY_MODEL = {
    **{name: ("vision", "digits", model) for name, model in IMAGE_MODELS.items()},
    "cnn_colour": ("vision", "colours", "{name: cnn, blocks: [{filters: 4}]}"),
    **{name: ("language", "plays", model) for name, model in TEXT_MODELS.items()},
    **{name: ("language", "words", model) for name, model in WORD_MODELS.items()},
}


def make_runs(root: Path, data: dict[str, Path], models: dict[str, tuple[str, str, str]]) -> ProjectPaths:
    """A project in `root` with these runs: name -> (half, data set, model)."""
    runs = [
        RUN.format(name=name, half=half, data=dataset, model=model, stages=STAGES[half])
        for name, (half, dataset, model) in models.items()
    ]
    paths = make_project(root, DATASETS + "runs:\n" + "".join(runs), data)
    for name, block in read_params(paths.params).runs.items():
        network, config = networks.load(paths.models / name)
        LEARN[block.domain](network, paths.prepared(block.dataset))
        networks.save(paths.models / name, network, config)
    return paths


def _learn_images(network: Any, data: Path) -> None:
    """A few steps, after which the network distinguishes classes, and statistics of batches are not 0 and 1."""
    images = torch.tensor(load_array(data, "train_images")[:100]).permute(0, 3, 1, 2) / 255
    labels = torch.tensor(load_array(data, "train_labels")[:100].astype("int64"))
    if hasattr(network, "learn"):
        for epoch in range(network.min_epochs):
            network.learn(images, labels, epoch=epoch)
    elif parameters := list(network.parameters()):
        torch.manual_seed(1)
        optimiser = torch.optim.Adam(parameters, lr=0.02)
        network.train()
        for _ in range(STEPS):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimiser.step()


def _learn_text(network: Any, data: Path) -> None:
    """The counts of an n-gram model; other networks stay as they are."""
    if isinstance(network, Ngram):
        ids = torch.tensor(load_array(data, "train")[:3000].astype("int64"))
        start = torch.tensor([read_facts(data, LanguageFacts).start])
        network.learn(torch.cat([start, ids[:-1]])[None], ids[None], epoch=0)


LEARN = {"vision": _learn_images, "language": _learn_text}


def write_colour_data(folder: Path) -> Path:
    """A prepared data set of colour pictures that are wider than tall."""
    import pytest

    from conftest import make_pictures
    from cvnlp.params.datasets import VisionDataset
    from cvnlp.vision.data import READERS, prepare
    from cvnlp.vision.data.image_set import of_arrays

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(READERS, "mnist_sample", lambda raw: of_arrays(*make_pictures(200, shape=(10, 14, 3))))
        prepare(Path(), folder, VisionDataset(domain="vision", source="mnist_sample", seed=1, validation=50, test=50))
    return folder

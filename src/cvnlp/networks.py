"""A network on disk: model.safetensors and config.json (its name and keyword arguments); no pickle, ever."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from cvnlp import domains, files
from cvnlp.data.prepared import Facts

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FASTEST = torch.channels_last  # the order of pixels in memory for convolutions, on the CPU and on the GPU


def build(config: dict[str, Any], *, seed: int | None = None) -> nn.Module:
    """The network that `config` describes: {domain, name, data (arguments of the data set), options}.

    With the `seed` of a run it has the weights from which that run's training began.
    """
    if seed is not None:
        torch.manual_seed(seed)
    models = domains.DOMAINS[config["domain"]].models.MODELS
    return models[config["name"]](**config["data"], **config["options"])


def describe(half: str, model: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """The config of the network that `model`, a run's block of params.yaml, names for the data of `facts`."""
    data = domains.DOMAINS[half].models.network_arguments(facts)
    options = {key: value for key, value in model.items() if key != "name"}
    return {"domain": half, "name": model["name"], "data": data, "options": options}


def save(folder: Path, network: nn.Module, config: dict[str, Any]) -> None:
    """config.json is written last: its presence means that the weights are whole."""
    with files.atomic_write(folder / WEIGHTS) as partial:
        save_model(network.cpu().to(memory_format=torch.contiguous_format), str(partial))
    files.write_json(folder / CONFIG, config)


def load(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network, ready to evaluate on `device()`, and its config; ValueError if a file is missing or damaged."""
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(f"{folder} holds no whole model ({CONFIG} is missing): run `dvc repro`")
    config = files.read_json(path)
    try:
        network = build(config)
        load_model(network, str(folder / WEIGHTS))
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged or does not fit {CONFIG} ({error}): run `dvc repro`") from None
    return network.to(memory_format=FASTEST).to(device()).eval(), config


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def hardware() -> dict[str, Any]:
    """What a training runs on here: the GPU's name or "cpu", and torch's threads."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"device": name, "threads": torch.get_num_threads()}


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

"""A network on disk: model.safetensors and config.json (its name, options and format of data); no pickle, ever."""

from pathlib import Path

import threadpoolctl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from cvnlp import domains, files
from cvnlp.data.prepared import Facts
from cvnlp.launch import devices
from cvnlp.launch.settings import read_launch
from cvnlp.params.language_networks import LanguageNetwork
from cvnlp.params.network_config import NetworkConfig, make_config, parse_config
from cvnlp.params.vision_networks import VisionNetwork

WEIGHTS, CONFIG = "model.safetensors", "config.json"
MEMORY_FORMAT = torch.channels_last  # the fastest order of pixels for convolutions, on the CPU and on the GPU


def build(config: NetworkConfig, *, seed: int | None = None) -> nn.Module:
    """The network that `config` describes; with the `seed` of a run, with the initial weights of that run."""
    if seed is not None:
        torch.manual_seed(seed)
    return domains.DOMAINS[config.domain].models.MODELS[config.options.name](config.data, config.options)


def describe(half: str, model: VisionNetwork | LanguageNetwork, facts: Facts) -> NetworkConfig:
    """The config of the network `model`, a run's block of params.yaml, for the prepared data of `facts`."""
    return make_config(half, domains.DOMAINS[half].models.input_format(facts), model)


def save(folder: Path, network: nn.Module, config: NetworkConfig) -> None:
    """config.json is written last: its presence means that the weights are complete."""
    with files.atomic_write(folder / WEIGHTS) as partial:
        try:
            save_model(network.cpu().to(memory_format=torch.contiguous_format), str(partial))
        except SafetensorError as error:  # such as a full disk
            raise OSError(f"{folder / WEIGHTS}: {error}") from None
    files.write_json(folder / CONFIG, config.to_json())


def load(folder: Path) -> tuple[nn.Module, NetworkConfig]:
    """The network, ready to evaluate on the device of the launch settings, and its config.

    ValueError if a file is missing or damaged.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(f"{folder} holds no complete model ({CONFIG} is missing): run `dvc repro`")
    config = parse_config(path, files.read_json(path))
    try:
        network = build(config)
        load_model(network, str(folder / WEIGHTS))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged or does not fit {CONFIG} ({error}): run `dvc repro`") from None
    return network.to(memory_format=MEMORY_FORMAT).to(devices.device()).eval(), config


def use_threads(count: int) -> None:
    """Compute with `count` threads, in torch and in the linear algebra of NumPy and SciPy."""
    torch.set_num_threads(count)
    threadpoolctl.threadpool_limits(count)


def hardware() -> dict[str, str | int]:
    """The name of the GPU, or "cpu" or "mps", the number of torch threads, and of processes of a training."""
    device = devices.device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "threads": torch.get_num_threads(), "processes": read_launch().processes}


def capabilities() -> dict[str, str]:
    """What this machine computes with: instructions for bfloat16, and the GPU with its free memory, if there is one."""
    fast = [name for name, has in torch.cpu.get_capabilities().items() if has and "bf16" in name]
    found = {"bfloat16": ", ".join(fast) or "not in hardware"}
    if torch.cuda.is_available():
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info())
        found["GPU"] = f"{torch.cuda.get_device_name()}, {free:.1f} of {total:.1f} GiB free"
    return found


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

"""Correctness of trainings on a GPU, for gpu.py: the same bytes twice, and the scores of the CPU.

python benchmarks/gpu_correctness.py OUT DATA WHOLE QUICK     # trains where torch finds itself, writes scores
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from gpu_training import Setting, Trained, changed, fit_run, score
from torch import Tensor

from cvnlp import networks
from cvnlp.launch import devices
from cvnlp.training import recorded_step

PARAMS = Path(__file__).parents[1] / "params.yaml"
# run -> its score, and the difference that noise explains: two standard errors of 500 images; of the LSTM, the spread
# over seeds
NOISE = {"mlp": ("accuracy", 0.024), "cnn": ("accuracy", 0.016), "lstm": ("nats_per_token", 0.02)}
CPU_THREADS = "3"
CHILD_SECONDS = 600


def measure(setting: Setting) -> dict[str, Any]:
    """Scores and bytes of default runs, and the scores of the same runs on the CPU."""
    children = setting.children or start_on_cpu(setting)
    found = {run: check(setting, run) for run in NOISE}
    for child, (run, (_, noise)) in zip(children, NOISE.items(), strict=True):
        on_cpu = float(child.communicate(timeout=CHILD_SECONDS)[0].split()[-1])
        difference = abs(found[run]["score"] - on_cpu)
        found[run] |= {"score_on_cpu": on_cpu, "difference": difference, "within_noise": difference <= noise}
    return found


def start_on_cpu(setting: Setting) -> list[subprocess.Popen[bytes]]:
    """A process for each run, which trains on the CPU and prints the score; of low priority, so as not to disturb."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": CPU_THREADS}
    arguments = [str(setting.data), str(setting.whole), "quick" if setting.quick else ""]
    for run in NOISE:
        command = ["nice", sys.executable, __file__, run, *arguments]
        setting.children.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
    return setting.children


def check(setting: Setting, name: str) -> dict[str, Any]:
    """Train a run twice, and once without repeating a recorded step; then save, load and compare the outputs."""
    run = setting.run(PARAMS, name)
    trained = fit_run(setting, run)
    result = {"score": test_score(setting, name, trained), **loads(trained)}
    first, again = (weights(fit_run(setting, changed(run, epochs=2))) for _ in range(2))
    warm_up, recorded_step.WARM_UP = recorded_step.WARM_UP, sys.maxsize
    try:
        unrecorded = weights(fit_run(setting, changed(run, epochs=2)))
    finally:
        recorded_step.WARM_UP = warm_up
    return result | {"same_bytes": first == again, "same_bytes_without_recording": first == unrecorded}


def weights(trained: Trained) -> str:
    """SHA-256 of the weights."""
    state = trained.network.cpu().state_dict()
    return hashlib.sha256(b"".join(tensor.contiguous().numpy().tobytes() for tensor in state.values())).hexdigest()


def test_score(setting: Setting, name: str, trained: Trained) -> float:
    return score(trained, setting)[NOISE[name][0]]


def loads(trained: Trained) -> dict[str, Any]:
    """The largest difference of outputs between the saved model on the GPU and on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        networks.save(Path(folder), trained.network, trained.config)
        on_gpu, _ = networks.load(Path(folder))
        on_cpu = networks.build(trained.config)
        on_cpu.load_state_dict({name: tensor.cpu() for name, tensor in on_gpu.state_dict().items()})
    example = make_example(trained)
    with torch.inference_mode():
        found = [
            first(network.eval()(example.to(device)))
            for network, device in ((on_gpu, devices.device()), (on_cpu, "cpu"))
        ]
    return {"largest_difference_of_outputs": (found[0].cpu() - found[1]).abs().max().item()}


def first(result: Any) -> Tensor:
    """The outputs, without the state."""
    found: Tensor = result[0] if isinstance(result, tuple) else result
    return found


def make_example(trained: Trained) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    data: Any = trained.config.data
    if trained.config.domain == "language":
        return torch.randint(0, data.vocabulary_size, (4, 64), generator=generator)
    height, width, channels = data.shape
    return torch.rand(64, channels, height, width, generator=generator)


if __name__ == "__main__":
    name, data, whole, quick = sys.argv[1:]
    setting = Setting(Path(data), Path(whole), quick == "quick", time.perf_counter() + CHILD_SECONDS)
    print(test_score(setting, name, fit_run(setting, setting.run(PARAMS, name))))

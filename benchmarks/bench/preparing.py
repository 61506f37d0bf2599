"""Preparing a folder of images, against one process that decodes the same files in a loop with Pillow.

The files are PNG images of 28 x 28 from the digits of the data set mnist_sample, each changed in one pixel, so that
there are no duplicates. Memory is the peak over the whole process tree, with shared pages counted once.
"""

import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from bench.processes import environment, python
from bench.repeated import read_images
from bench.results import Pairs
from bench.rounds import alternate
from bench.setting import Setting
from cvnlp.params.datasets import OwnPictures

QUICK, FULL = 7_000, 70_000
PREPARE = """
import sys
from pathlib import Path
from cvnlp.params.datasets import OwnPictures
from cvnlp.vision.data import prepare
if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), OwnPictures.model_validate_json(sys.argv[3]))
"""


def write_images(data: Path, folder: Path, count: int) -> None:
    """Write `count` PNG files in one folder per class, from the prepared images of `data`."""
    images = read_images(data, count)
    for number, label in enumerate(images.labels):
        path = folder / str(label) / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.rows(np.array([number]))[0, ..., 0]).save(path)


def prepare(folder: Path, out: Path) -> tuple[float, int]:
    """Seconds, and the peak memory of the process and its children in bytes. RuntimeError if it fails."""
    options = OwnPictures(
        domain="vision",
        path=str(folder),
        seed=1,
        validation=0.1,
        test=0.1,
        size=[28, 28],
        colour="grey",
        max_skipped=0.0,
    )
    script = out.parent / "prepare_images.py"
    script.write_text(PREPARE)
    command = python(str(script), str(folder), str(out), options.model_dump_json())
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, env=environment()) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"prepare failed with {process.returncode}")
    return time.perf_counter() - started, peak


def memory(pid: int) -> int:
    """Proportional set size in bytes of a process and its descendants; 0 for those that have ended."""
    total = 0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in tree:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def decode_in_a_loop(folder: Path) -> float:
    """Seconds of one process that only decodes: no checks, no digests, nothing written."""
    started = time.perf_counter()
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            np.asarray(image.convert("L"))
    return time.perf_counter() - started


def measure(setting: Setting) -> Pairs:
    """Seconds of both."""
    count = FULL if setting.full else QUICK
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        write_images(setting.prepared("mnist_sample"), folder, count)
        decode_in_a_loop(folder)  # now the system's cache holds the files, for both
        peaks: list[int] = []

        def ours() -> float:
            seconds, peak = prepare(folder, Path(place) / f"prepared-{len(peaks)}")
            peaks.append(peak)
            return seconds

        pairs = alternate(ours, lambda: decode_in_a_loop(folder), setting.rounds)
    return pairs.model_copy(update={"details": {"peak_mib": max(peaks) / 2**20, "images": count}})

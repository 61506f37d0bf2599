"""Speed and memory of preparing a folder of images.

    python benchmarks/preparing.py 70000

writes that many PNG files of 28 x 28 from the digits of the data set mnist_sample (each changed in one pixel, so that
there are no duplicates), prepares them in a separate process, and decodes the same files in one process by a loop with
Pillow. Memory is the peak over the whole process tree, with shared pages counted once.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from cvnlp.data import prepared
from cvnlp.params.datasets import OwnPictures

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data/prepared/mnist_sample"
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
    images, labels = (
        np.concatenate([prepared.load_array(data, f"{split}_{kind}") for split in prepared.SPLITS])
        for kind in ("images", "labels")
    )
    for number in range(count):
        image = images[number % len(images)][..., 0].copy()
        image.flat[number // len(images)] ^= 255
        path = folder / str(labels[number % len(images)]) / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def prepare(folder: Path, out: Path) -> tuple[float, int]:
    """Seconds, and the peak memory of the process and its children in bytes."""
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
    command = [sys.executable, str(script), str(folder), str(out), options.model_dump_json()]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"prepare failed with {process.returncode}")
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


def measure(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "images", Path(place) / "prepared"
        write_images(DATA, folder, count)
        decode_in_a_loop(folder)  # now the system's cache holds the files, for both
        loop = decode_in_a_loop(folder)
        seconds, peak = prepare(folder, out)
    print(
        f"preparing, against one process that decodes: {count / seconds:,.0f} images/s, baseline {count / loop:,.0f}; "
        f"{loop / seconds:.2f} times as fast; peak memory {peak / 2**20:.0f} MiB for {count:,} images",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=int, nargs="*", default=[7_000, 70_000], help="how many; default: 7000 70000")
    for number in parser.parse_args().images:
        measure(number)

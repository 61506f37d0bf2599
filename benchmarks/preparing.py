"""How fast a folder of pictures is prepared, and with how much memory.

    python benchmarks/preparing.py 70000

makes so many PNG files of 28 x 28 from the digits of the data set mnist_sample (each changed in one pixel, so that
none is a copy), prepares them in a process of its own, and decodes the same files in one process by a loop over
Pillow. Memory is the peak of the whole tree of processes, pages that they share counted once.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from cvnlp.data import prepared

ROOT = Path(__file__).parents[1]
OPTIONS = {"seed": 1, "validation": 0.1, "test": 0.1, "duplicates": "keep", "max_skipped": 0.0}
FORM = {"size": [28, 28], "fit": "crop", "colour": "grey", "background": "black"}
PREPARE = """
import json, sys
from pathlib import Path
from cvnlp.vision.data import prepare
if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3]))
"""


def make_pictures(folder: Path, count: int) -> None:
    """`count` PNG files in ten class folders."""
    images, labels = (
        np.concatenate(
            [prepared.load_array(ROOT / "data/prepared/mnist_sample", f"{split}_{kind}") for split in prepared.SPLITS]
        )
        for kind in ("images", "labels")
    )
    for number in range(count):
        image = images[number % len(images)][..., 0].copy()
        image.flat[number // len(images)] ^= 255
        path = folder / str(labels[number % len(images)]) / f"{number:06d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)


def prepare(pictures: Path, out: Path) -> tuple[float, int]:
    """Seconds, and the peak of the memory of the process and its children in bytes."""
    started = time.perf_counter()
    script = out.parent / "prepare_pictures.py"
    script.write_text(PREPARE)
    options = json.dumps(OPTIONS | FORM)
    with subprocess.Popen([sys.executable, str(script), str(pictures), str(out), options]) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"prepare failed with {process.returncode}")
    return time.perf_counter() - started, peak


def memory(pid: int) -> int:
    """Proportional set size of a process and all below it; of those that are gone nothing."""
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


def decode_in_a_loop(pictures: Path) -> float:
    """Seconds of one process that only decodes: no checks, no digests, nothing written."""
    started = time.perf_counter()
    for path in sorted(pictures.rglob("*.png")):
        with Image.open(path) as image:
            np.asarray(image.convert("L"))
    return time.perf_counter() - started


def measure(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pictures, out = Path(folder) / "pictures", Path(folder) / "prepared"
        pictures.mkdir()
        make_pictures(pictures, count)
        decode_in_a_loop(pictures)  # the files are now in the system's cache, for both
        loop = decode_in_a_loop(pictures)
        seconds, peak = prepare(pictures, out)
    print(
        f"preparing, beside one process that decodes: {count / seconds:,.0f} pictures/s, baseline {count / loop:,.0f}; "
        f"{loop / seconds:.2f} times as fast; peak memory {peak / 2**20:.0f} MiB for {count:,} pictures",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=int, nargs="*", default=[7_000, 70_000], help="how many; default: 7000 70000")
    for number in parser.parse_args().pictures:
        measure(number)

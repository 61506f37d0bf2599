"""Screenshots for the documentation, of MLflow's pages, of the page of a served model, and of the demo page.

    python docs/screenshots.py     # in a project whose pipeline has run; needs the browser chromium

Servers are started on free ports of this machine, and ended afterwards.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from cvnlp.tracking import mlflow_store
from cvnlp.tracking.model_registry import registered_name

FOLDER = Path(__file__).parent / "screenshots"
PAGE, SHOWN = (2030, 860), (1500, 860)  # pixels of MLflow's pages: without its assistant at the right
TRY_PAGE = (900, 430)  # of the page of a model
DEMO_PAGE = (1150, 1150)
WIDTH = 1000  # pixels of the files
LOADING = 25_000  # milliseconds that a page may take; chromium does not wait for them in real time
STARTING = 90  # seconds
RUN, DATASET = "cnn", "mnist_sample"


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("error: chromium is not installed")
    FOLDER.mkdir(exist_ok=True)
    store = mlflow_store.connect()
    (run, *_) = store.find_runs(f"tags.run = '{RUN}'")
    with served("ui") as address:
        pages = {
            "mlflow_runs": f"/#/experiments/{store.experiment}/runs?workflowType=machine_learning",
            "mlflow_run": f"/#/experiments/{store.experiment}/runs/{run.info.run_id}?workflowType=machine_learning",
            "mlflow_registry": f"/#/models/{registered_name(DATASET)}?workflowType=machine_learning",
        }
        for name, page in pages.items():
            take(browser, f"{address}{page}", FOLDER / f"{name}.png", PAGE, SHOWN)
    with served("serve", RUN) as address:
        take(browser, address, FOLDER / "served_classifier.png", TRY_PAGE, TRY_PAGE)
    with served("serve", "lstm") as address:
        take(browser, address, FOLDER / "served_language_model.png", TRY_PAGE, TRY_PAGE)
    with served("demo") as address:
        for tab in ("classifier", "language"):
            take(browser, f"{address}/#{tab}", FOLDER / f"demo_{tab}.png", DEMO_PAGE, DEMO_PAGE)


@contextlib.contextmanager
def served(*command: str) -> Iterator[str]:
    """The address of a server that a command of cvnlp has started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "cvnlp.cli", *command, "--port", str(port)])
    try:
        wait(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def wait(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):  # noqa: S310  it is local
            return
        time.sleep(0.5)
    sys.exit(f"error: nothing answers at {address}")


def take(browser: str, address: str, path: Path, page: tuple[int, int], shown: tuple[int, int]) -> None:
    """Save what is `shown` of a page of this width and height as a small PNG of 64 colours."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        options = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--virtual-time-budget={LOADING}")
        sizes = (f"--window-size={page[0]},{page[1]}", f"--screenshot={shot}", f"--user-data-dir={folder}/profile")
        subprocess.run([browser, *options, *sizes, address], check=True, capture_output=True, timeout=180)
        image = Image.open(shot).convert("RGB").crop((0, 0, *shown))
        width = min(WIDTH, image.width)
        image = image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)
        image.quantize(64).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()

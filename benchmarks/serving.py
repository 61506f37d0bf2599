"""Latency and throughput of `cvnlp serve` next to `mlflow models serve`, for the same model and requests.

    python benchmarks/serving.py [cnn] [--requests 1000] [--clients 1 8 32] [--out serving.json]

Every client has a connection of its own and sends the next request when it has the answer to the last one. A request
is one picture of the test split as base64 in JSON, or for language models a prompt that is continued by 20 tokens.
The first requests are not measured. Run it on an idle machine; clients and server share its processors.
"""

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tabulate import tabulate

from cvnlp import files, provenance
from cvnlp.data.prepared import load_array
from cvnlp.params import read_params
from cvnlp.params.network_config import LanguageConfig, NetworkConfig, VisionConfig, parse_config
from cvnlp.paths import ProjectPaths, RunPaths

ROOT = Path(__file__).parents[1]
WARM_UP = 50  # requests
PICTURES = 100  # different ones
WAIT = 120  # seconds for a server to start
PROMPTS, TOKENS = ("To be, or not to be", "Good my lord, "), 20
PERCENTILES = (50, 95, 99)


class Requests(NamedTuple):
    """The same requests for both servers: paths and JSON bodies."""

    our_path: str
    ours: list[Any]
    mlflow: list[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="cnn")
    parser.add_argument("--requests", type=int, default=1000, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of params.yaml")
    parser.add_argument("--out", type=Path, help="a JSON file")
    given = parser.parse_args()
    try:
        rows = measure(given.run, given.root.resolve(), given.requests, given.clients)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(tabulate([row.values() for row in rows], headers=list(rows[0]), floatfmt=".1f"))
    if given.out:
        machine = {key: value for key, value in provenance.machine().items() if key != "date"}
        files.write_json(given.out, {"run": given.run, "requests": given.requests, "rows": rows, "machine": machine})


def measure(name: str, root: Path, count: int, clients: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each server and number of clients."""
    block = read_params(root / "params.yaml").runs.get(name)
    if block is None:
        raise ValueError(f"{name!r} is no run of {root / 'params.yaml'}")
    run = ProjectPaths(root).run(name, block.dataset)
    path = run.model / "config.json"
    config = parse_config(path, files.read_json(path))
    requests = make_requests(config, run.prepared)
    rows = []
    with our_server(run) as port:
        rows += [row("cvnlp serve", port, requests.our_path, requests.ours, count, number) for number in clients]
    with mlflow_server(run, config) as port:
        rows += [row("mlflow models serve", port, "/invocations", requests.mlflow, count, number) for number in clients]
    return rows


# Requests -------------------------------------------------------------------------------------------------------------


@singledispatch
def make_requests(config: Any, data: Path) -> Requests:
    raise TypeError(f"{type(config).__name__} is no config of a network")


@make_requests.register
def _(config: VisionConfig, data: Path) -> Requests:
    pictures = [_as_base64(image) for image in np.array(load_array(data, "test_images")[:PICTURES])]
    split = [{"dataframe_split": {"columns": ["picture"], "data": [[picture]]}} for picture in pictures]
    return Requests("/predict", [{"pictures": [picture]} for picture in pictures], split)


@make_requests.register
def _(config: LanguageConfig, data: Path) -> Requests:
    split = [{"columns": ["prompt"], "data": [[prompt]]} for prompt in PROMPTS]
    return Requests(
        "/generate",
        [{"prompt": prompt, "tokens": TOKENS} for prompt in PROMPTS],
        [{"dataframe_split": one, "params": {"tokens": TOKENS}} for one in split],
    )


def _as_base64(image: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


# Servers --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def our_server(run: RunPaths) -> Iterator[int]:
    command = [sys.executable, "-m", "cvnlp.cli", "serve", str(run.model), "--port", "0"]
    with running(command, output=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise OSError("`cvnlp serve` has ended")
        port = int(line.split()[1].rpartition(":")[2])
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield port


@contextlib.contextmanager
def mlflow_server(run: RunPaths, config: NetworkConfig) -> Iterator[int]:
    import mlflow

    from cvnlp.tracking import logged_model

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        mlflow.pyfunc.save_model(model, **logged_model.content(run.model, config, run.prepared))
        port = free_port()
        command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model)]
        command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
        with running(command) as process:
            wait_for(f"http://127.0.0.1:{port}/ping", process)
            yield port


@contextlib.contextmanager
def running(command: list[str], *, output: int = subprocess.DEVNULL) -> Iterator["subprocess.Popen[str]"]:
    """A process in a session of its own, with all that it starts, until the end of the block."""
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


def wait_for(address: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10):  # noqa: S310  http
            return
        time.sleep(0.2)
    raise OSError(f"{address} does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# Clients --------------------------------------------------------------------------------------------------------------


def row(server: str, port: int, path: str, bodies: list[Any], count: int, clients: int) -> dict[str, Any]:
    """Percentiles of the latency in milliseconds, and requests per second."""
    raw = [_as_http(port, path, json.dumps(body).encode()) for body in bodies]
    asyncio.run(load(port, raw, WARM_UP, clients))
    started = time.perf_counter()
    latencies = asyncio.run(load(port, raw, count, clients))
    seconds = time.perf_counter() - started
    found = np.percentile(latencies, PERCENTILES) * 1000
    shown = {f"p{percent} in ms": round(float(one), 3) for percent, one in zip(PERCENTILES, found, strict=True)}
    return {"server": server, "clients": clients, **shown, "requests per s": round(count / seconds, 1)}


def _as_http(port: int, path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def load(port: int, raw: list[bytes], count: int, clients: int) -> list[float]:
    """Seconds of each of `count` requests, by so many clients."""
    numbers, latencies = iter(range(count)), list[float]()
    await asyncio.gather(*(client(port, lambda: next(numbers, None), raw, latencies) for _ in range(clients)))
    return latencies


async def client(port: int, take: Callable[[], int | None], raw: list[bytes], latencies: list[float]) -> None:
    """Send requests as long as there are some, and append the seconds of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (number := take()) is not None:
        started = time.perf_counter()
        writer.write(raw[number % len(raw)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise OSError(f"the server has answered {body[:500]!r}")
        latencies.append(time.perf_counter() - started)
    writer.close()


if __name__ == "__main__":
    main()

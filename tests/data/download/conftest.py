"""One synthetic source on a local server, which fails on request."""

import gzip
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvnlp import catalogue
from cvnlp.data.download import http

CONTENT = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILE = "letters.txt"


class Server(ThreadingHTTPServer):
    """Serves `files` by path, with ranges. `faults` lists what goes wrong at a path, one entry per request.

    A fault is a status, "cut N" (N bytes of the body, then the connection breaks), "stall N" (then silence until
    `released`), "no ranges" or "shifted" (another range than the requested one).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str | None]] = []  # path and range of every request
        self.stalled, self.released = threading.Event(), threading.Event()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def ranges(self, path: str) -> list[str | None]:
        return [requested for name, requested in self.requests if name == path]

    def handle_error(self, *_: Any) -> None:
        """Print nothing about clients that were killed."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers["Range"]))
        faults = self.server.faults.get(self.path, [])
        fault = faults.pop(0) if faults else ""
        body = self.server.files.get(self.path)
        if fault.isdigit():
            self.send_error(int(fault))
        elif body is None:
            self.send_error(404)
        else:
            self.answer(body, fault)

    def answer(self, body: bytes, fault: str) -> None:
        requested = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "") if fault != "no ranges" else None
        start = int(requested[1]) if requested else 0
        if start >= len(body):
            self.send_error(416)
            return
        start = 0 if fault == "shifted" else start
        self.send_response(206 if requested else 200)
        if requested:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.send(body[start:], fault)

    def send(self, body: bytes, fault: str) -> None:
        kind, _, count = fault.partition(" ")
        if kind not in ("cut", "stall"):
            self.wfile.write(body)
            return
        self.wfile.write(body[: int(count)])
        self.wfile.flush()
        if kind == "stall":
            self.server.stalled.set()
            self.server.released.wait(60)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror, no proxy, no delays, and chunks smaller than the file."""
    for name in ("CVNLP_MIRROR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(http, "RETRY_DELAYS", (0, 0, 0))
    monkeypatch.setattr(http, "CHUNK_SIZE", 1000)


def made(*stated: catalogue.File) -> catalogue.Source:
    return catalogue.Source("language", "made", stated, (), "public domain", "nobody", "http://127.0.0.1", {})


def file(**changes: Any) -> catalogue.File:
    return catalogue.File(**{"name": FILE, "sha256": DIGEST, "size": len(CONTENT)} | changes)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that adds the source `made` with these files, or with one file with these changes."""

    def put(*stated: catalogue.File, **changes: Any) -> catalogue.File:
        stated = stated or (file(**changes),)
        monkeypatch.setitem(catalogue.SOURCES, "made", made(*stated))
        return stated[0]

    return put


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the source `made` in a mirror."""
    monkeypatch.setenv("CVNLP_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror" / "made").mkdir(parents=True)
    return tmp_path / "mirror" / "made"


@pytest.fixture
def content() -> bytes:
    return CONTENT


@pytest.fixture
def gzipped() -> bytes:
    return gzip.compress(CONTENT, mtime=0)

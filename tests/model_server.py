"""The real server of a small model, in a thread of the tests, and a client for it."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.params.network_config import NetworkConfig
from cvnlp.serving.application import create_app
from cvnlp.serving.loading import load
from cvnlp.serving.server import listen
from make_networks import make_config

JSON = {"Content-Type": "application/json"}


def save_model(folder: Path, data: Path, name: str, **options: Any) -> Path:
    """A complete model with random weights for prepared data; returns its folder."""
    facts = prepared.read_facts(data)
    image_or_text = domains.DOMAINS[facts.domain].models.input_format(facts)
    config: NetworkConfig = make_config(facts.domain, name, image_or_text, **options)
    config = config.model_copy(update={"processing": prepared.read_processing(data)})
    networks.save(folder, networks.build(config, seed=1), config)
    return folder


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        """The reason of a refused request, without which a test fails."""
        reason = self.json["error"]
        assert isinstance(reason, str) and reason
        return reason


class ModelServer:
    """Requests to the server at `port`; each has a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def post(self, path: str, content: Any) -> Answer:
        return self.request("POST", path, json.dumps(content), JSON)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)


@contextlib.contextmanager
def serve_app(app: FastAPI) -> Iterator[ModelServer]:
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()  # a client that connects before the server runs waits for it
        try:
            yield ModelServer(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@contextlib.contextmanager
def serve_model(folder: Path, **options: Any) -> Iterator[ModelServer]:
    with serve_app(create_app(load(folder), folder, name="tiny", **options)) as server:
        yield server

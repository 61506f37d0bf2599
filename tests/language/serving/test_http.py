"""Text generation blocks no other request, and too much of it is refused."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from cvnlp.language.serving import LanguageModel
from cvnlp.language.serving.http import make_router
from cvnlp.language.serving.slots import Slots
from cvnlp.serving.loading import load_language_model
from model_server import JSON, ModelServer, save_model, serve_app


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, language_data: Path) -> LanguageModel:
    return load_language_model(save_model(tmp_path_factory.mktemp("model"), language_data, "rnn"))


@pytest.fixture
def released(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Texts are "ab"; their second letter waits for this event."""
    event = threading.Event()

    def stream(*arguments: Any, **options: Any) -> Iterator[str]:
        yield "a"
        assert event.wait(60)
        yield "b"

    monkeypatch.setattr(model, "stream", stream)
    return event


@pytest.fixture
def server(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """One text at a time, none may wait; pieces are passed on at once."""
    monkeypatch.setattr("cvnlp.language.serving.http.PIECE_SECONDS", 0)
    app = FastAPI()
    app.include_router(make_router(model, slots=Slots(running=1, waiting=0)))
    with serve_app(app) as made:
        yield made


def begin(server: ModelServer) -> Any:
    """A streamed answer whose first piece has arrived."""
    connection = server.connect()
    connection.request("POST", "/generate", json.dumps({"stream": True}), JSON)
    answer = connection.getresponse()
    assert answer.read(1) == b"a"
    return connection, answer


def test_text_is_streamed_and_other_requests_are_answered_meanwhile(
    server: ModelServer, released: threading.Event
) -> None:
    connection, answer = begin(server)
    assert server.get("/openapi.json").status == 200
    released.set()
    assert answer.read() == b"b"
    connection.close()


@pytest.mark.parametrize("path", ["/generate", "/perplexity"])
def test_more_than_may_wait_are_told_to_come_again(server: ModelServer, released: threading.Event, path: str) -> None:
    connection, answer = begin(server)
    refused = server.post(path, {"text": "to be"} if path == "/perplexity" else {})
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    released.set()
    assert answer.read() == b"b"
    connection.close()
    assert server.post("/generate", {}).json["text"] == "ab"


def test_a_client_that_leaves_gives_its_place_back(server: ModelServer, released: threading.Event) -> None:
    connection, answer = begin(server)
    answer.close()
    connection.close()
    released.set()
    assert any(server.post("/generate", {}).status == 200 for _ in range(1000))  # 503 until the server notices

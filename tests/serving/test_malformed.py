"""Malformed requests are refused with a reason, and the server goes on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from malformed_requests import Malformed, picture, picture_bomb, requests
from model_server import JSON, ModelServer, save_model, serve_model

REQUESTS = list(requests())
LIMIT = 2_000_000


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, vision_data: Path, language_data: Path
) -> Iterator[dict[str, ModelServer]]:
    """Path -> the server that has it."""
    folder = tmp_path_factory.mktemp("models")
    with (
        serve_model(save_model(folder / "v", vision_data, "mlp"), max_body=LIMIT) as vision,
        serve_model(save_model(folder / "l", language_data, "lstm"), max_body=LIMIT) as language,
    ):
        yield {"/predict": vision, "/generate": language, "/perplexity": language}


def test_there_are_more_than_two_hundred() -> None:
    assert len(REQUESTS) > 200


@pytest.mark.parametrize("request_", REQUESTS, ids=[f"{one.path} {one.name[:60]}" for one in REQUESTS])
def test_a_malformed_request_is_refused_with_a_reason(servers: dict[str, ModelServer], request_: Malformed) -> None:
    answer = servers[request_.path].request("POST", request_.path, request_.body, request_.headers)
    assert 400 <= answer.status < 500, answer.content
    assert len(answer.error) < 3000
    assert "Traceback" not in answer.error


@pytest.mark.parametrize("path", ["/predict", "/generate", "/perplexity"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(servers: dict[str, ModelServer], path: str, chunked: bool) -> None:
    body = json.dumps({"text": "a" * LIMIT}).encode()
    answer = servers[path].request("POST", path, iter([body[:-5], body[-5:]]) if chunked else body, JSON)
    assert answer.status == 413
    assert answer.error == "the body of the request has more than 2,000,000 bytes"


@pytest.mark.parametrize("path", ["/predict", "/generate", "/perplexity"])
def test_a_wrong_length_of_the_body_ends_the_connection_only(servers: dict[str, ModelServer], path: str) -> None:
    connection = servers[path].connect()
    connection.request("POST", path, b"{}", {**JSON, "Content-Length": "1000"})
    connection.close()
    assert servers[path].get("/health").status == 200


@pytest.mark.parametrize("value", ["abc", "-1", "9" * 30])
def test_a_length_that_is_no_number_is_refused(servers: dict[str, ModelServer], value: str) -> None:
    answer = servers["/predict"].request("POST", "/predict", b"{}", {**JSON, "Content-Length": value})
    assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/predict", 405), ("POST", "/nothing", 404), ("PUT", "/", 405)]
)
def test_another_method_or_path_is_refused(
    servers: dict[str, ModelServer], method: str, path: str, status: int
) -> None:
    answer = servers["/predict"].request(method, path, b"")
    assert (answer.status, bool(answer.error)) == (status, True)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    servers: dict[str, ModelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*arguments: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    answer = servers["/predict"].request("POST", "/predict", picture_bomb(6000, 5000), {"Content-Type": "image/png"})
    assert answer.error == "pictures[0]: 6000 x 5000 pixels, more than 25,000,000"


def test_the_servers_still_answer(servers: dict[str, ModelServer]) -> None:
    """The last test of this file: after all the others."""
    assert servers["/predict"].request("POST", "/predict", picture(), {"Content-Type": "image/png"}).status == 200
    assert servers["/generate"].post("/generate", {"prompt": "to", "tokens": 3}).status == 200
    assert servers["/perplexity"].post("/perplexity", {"text": "to be"}).status == 200

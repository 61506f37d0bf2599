"""The server of a model answers as the model does, and its pages load nothing from elsewhere."""

import base64
import hashlib
import io
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvnlp import provenance
from cvnlp.data import prepared
from cvnlp.serving.application import create_app
from cvnlp.serving.loading import load, load_classifier, load_language_model
from cvnlp.serving.server import listen
from model_server import ModelServer, save_model, serve_app, serve_model


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> Path:
    return save_model(tmp_path_factory.mktemp("classifier"), vision_data, "cnn")


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory, words_data: Path) -> Path:
    return save_model(tmp_path_factory.mktemp("language_model"), words_data, "lstm")


@pytest.fixture(scope="module")
def vision(classifier: Path) -> Iterator[ModelServer]:
    with serve_model(classifier) as server:
        yield server


@pytest.fixture(scope="module")
def language(language_model: Path) -> Iterator[ModelServer]:
    with serve_model(language_model) as server:
        yield server


@pytest.fixture(scope="module")
def pictures(vision_data: Path) -> list[bytes]:
    return [as_png(image[..., 0]) for image in prepared.load_array(vision_data, "test_images")[:24]]


def as_png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def encoded(pictures: list[bytes]) -> dict[str, list[str]]:
    return {"pictures": [base64.b64encode(one).decode() for one in pictures]}


# Classifiers ----------------------------------------------------------------------------------------------------------


def test_pictures_are_classified_as_by_the_classifier(
    vision: ModelServer, classifier: Path, pictures: list[bytes]
) -> None:
    found = vision.post("/predict", encoded(pictures)).json["predictions"]
    for one, expected in zip(found, load_classifier(classifier).predict(pictures), strict=True):
        assert (one["class"], one["class_id"]) == (expected.label, expected.index)
        assert one["probability"] == one["probabilities"][one["class"]]
        assert one["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)


@pytest.mark.parametrize("kind", ["image/png", "image/whatever", "application/octet-stream"])
def test_the_body_may_be_one_picture(vision: ModelServer, pictures: list[bytes], kind: str) -> None:
    (expected,) = vision.post("/predict", encoded(pictures[:1])).json["predictions"]
    assert vision.request("POST", "/predict", pictures[0], {"Content-Type": kind}).json == {"predictions": [expected]}


def test_a_data_url_is_a_picture(vision: ModelServer, pictures: list[bytes]) -> None:
    (text,) = encoded(pictures[:1])["pictures"]
    assert vision.post("/predict", {"pictures": [f"data:image/png;base64,{text}", text]}).status == 200


def test_unusable_pictures_are_named_by_their_position(vision: ModelServer, pictures: list[bytes]) -> None:
    answer = vision.post("/predict", encoded([pictures[0], b"no picture", pictures[1], b""]))
    formats = "not a complete image in PNG, JPEG, WEBP, BMP or GIF"
    assert answer.status == 422
    assert answer.json == {
        "error": f"pictures[1]: {formats}; pictures[3]: empty",
        "pictures": {"1": formats, "3": "empty"},
    }


def test_concurrent_requests_get_the_answers_of_single_ones(vision: ModelServer, pictures: list[bytes]) -> None:
    requests = [pictures[start : start + 1 + start % 4] for start in range(20)]
    alone = [vision.post("/predict", encoded(request)).json["predictions"] for request in requests]
    with ThreadPoolExecutor(10) as clients:
        together = list(clients.map(lambda request: vision.post("/predict", encoded(request)), requests * 5))
    for answer, expected in zip(together, alone * 5, strict=True):
        for one, other in zip(answer.json["predictions"], expected, strict=True):
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


# Language models ------------------------------------------------------------------------------------------------------

OPTIONS = {"tokens": 40, "temperature": 1.2, "top_k": 15, "top_p": 0.9, "seed": 7}


@pytest.mark.parametrize("options", [{"tokens": 40}, OPTIONS, {"tokens": 40, "temperature": 0}])
def test_text_is_generated_as_by_the_model(
    language: ModelServer, language_model: Path, options: dict[str, float]
) -> None:
    expected = load_language_model(language_model).generate("Hamlet: to", **options)
    assert language.post("/generate", {"prompt": "Hamlet: to", **options}).json == {"text": expected, "unknown": []}
    streamed = language.post("/generate", {"prompt": "Hamlet: to", **options, "stream": True})
    assert streamed.headers["content-type"] == "text/plain; charset=utf-8"
    assert streamed.content.decode() == expected


def test_unknown_words_of_the_prompt_are_named(language: ModelServer) -> None:
    assert language.post("/generate", {"prompt": "Zephyr", "tokens": 1}).json["unknown"] == ["zephyr"]


def test_a_text_is_scored_as_by_the_model(language: ModelServer, language_model: Path) -> None:
    expected = load_language_model(language_model).perplexity("to be, or Zephyr")
    found = language.post("/perplexity", {"text": "to be, or Zephyr"}).json
    assert found["perplexity"] == pytest.approx(expected.perplexity)
    assert (found["tokens"], found["unknown"]) == (expected.tokens, expected.unknown)


# Both -----------------------------------------------------------------------------------------------------------------


def test_health_names_the_model(vision: ModelServer, classifier: Path) -> None:
    first, second = (vision.get("/health").json for _ in range(2))
    assert second["uptime"] > first["uptime"] >= 0
    assert {name: value for name, value in first.items() if name != "uptime"} == {
        "status": "ok",
        "model": "tiny",
        "network": "cnn",
        "digest": provenance.model_digest(classifier),
    }


@pytest.mark.parametrize("kind", ["vision", "language"])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_and_run_only_their_own_script(kind: str, path: str, request: pytest.FixtureRequest) -> None:
    answer = request.getfixturevalue(kind).get(path)
    page, policy = answer.content.decode(), answer.headers["content-security-policy"]
    assert "http://" not in page and "https://" not in page and "//cdn" not in page
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+src=", page)
    assert not re.findall(r'\son\w+="|\sstyle="', page)  # the policy forbids them
    for tag in ("style", "script"):
        for source in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("kind", "paths"), [("vision", {"/predict"}), ("language", {"/generate", "/perplexity"})])
def test_the_interface_is_documented(kind: str, paths: set[str], request: pytest.FixtureRequest) -> None:
    server: ModelServer = request.getfixturevalue(kind)
    schema = server.get("/openapi.json").json
    assert set(schema["paths"]) == paths | {"/health"}
    page = server.get("/docs").content.decode()
    names = {name for path in paths for name in fields_of(schema["paths"][path])}
    assert {name for name in names if f"<code>{name}</code>" not in page} == set()


def fields_of(operations: dict[str, dict[str, object]]) -> set[str]:
    body = operations["post"]["requestBody"]["content"]["application/json"]["schema"]  # type: ignore[index]
    return set(body["properties"])


def test_the_name_of_a_model_is_text(classifier: Path) -> None:
    with serve_app(create_app(load(classifier), classifier, name="<script>alert(1)</script>")) as server:
        for path in ("/", "/docs"):
            assert b"<script>alert" not in server.get(path).content


def test_a_failure_of_the_server_is_no_failure_of_the_client(
    classifier: Path, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_classifier(classifier)

    def fail(images: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(model, "predict_pixels", fail)
    with serve_app(create_app(model, classifier, name="tiny")) as server:
        answer = server.post("/predict", encoded(pictures[:1]))
        assert (answer.status, answer.json) == (500, {"error": "the server has failed; its log says why"})
        assert server.get("/health").status == 200


def test_answers_are_sent_without_delay() -> None:
    """The connections that asyncio accepts from this socket inherit the option."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

"""The HTTP interface of an image classifier: `POST /predict`."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from cvnlp.data.user_files import UnreadableFileError
from cvnlp.vision.serving import pictures
from cvnlp.vision.serving.batching import Batcher, FullQueueError
from cvnlp.vision.serving.classifier import ImageClassifier, Prediction
from cvnlp.vision.serving.pictures import Answer

JSON, BINARY = "application/json", "application/octet-stream"
MAX_PICTURES = 64  # of a request


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`pixels` of a picture, pictures that are classified together (`batch`), and pictures in the queue (`waiting`)."""

    pixels: int = pictures.MAX_PIXELS
    batch: int = 64
    waiting: int = 1024


class PicturesRequest(BaseModel):
    """Picture files (PNG, JPEG, WebP, BMP, GIF) in base64."""

    model_config = ConfigDict(strict=True, extra="forbid")

    pictures: Annotated[list[str], Field(min_length=1, max_length=MAX_PICTURES)]


class PredictedClass(BaseModel):
    """The most probable class, its number, and the probabilities of all classes by name."""

    class_: Annotated[str, Field(alias="class")]
    class_id: int
    probability: float
    probabilities: dict[str, float]


class PredictionsResponse(BaseModel):
    """A prediction for each picture, in their order."""

    predictions: list[PredictedClass]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": PicturesRequest.model_json_schema()},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def make_router(classifier: ImageClassifier, *, limits: Limits | None = None) -> APIRouter:
    """The route of the classifier; its pictures are decoded and classified by one thread."""
    found = limits or Limits()
    process = partial(pictures.classify, classifier, max_pixels=found.pixels)
    batcher: Batcher[bytes, Answer] = Batcher(process, batch_size=found.batch, waiting=found.waiting)
    router = APIRouter()

    @router.post("/predict", response_model=PredictionsResponse, openapi_extra=_BODY)
    async def predict(request: Request) -> JSONResponse:
        """Classify one picture, whose file is the body, or several, in base64 in JSON."""
        contents = _contents(request.headers.get("content-type", ""), await request.body())
        _refuse(contents)
        try:
            answers = await batcher.submit([one for one in contents if isinstance(one, bytes)])
        except FullQueueError:
            raise HTTPException(503, "too many pictures wait", headers={"Retry-After": "1"}) from None
        _refuse(answers)
        return JSONResponse({"predictions": [_to_json(one) for one in answers if isinstance(one, Prediction)]})

    return router


def _contents(content_type: str, body: bytes) -> list[bytes | UnreadableFileError]:
    """The contents of the picture files of a request, with an error in place of what is not base64."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        return [_decoded(text) for text in PicturesRequest.model_validate_json(body).pictures]
    if kind.startswith("image/") or kind == BINARY:
        return [body]
    raise HTTPException(415, f"Content-Type {kind!r}: expected {JSON}, image/png, image/jpeg or {BINARY}")


def _decoded(text: str) -> bytes | UnreadableFileError:
    try:
        return pictures.from_base64(text)
    except UnreadableFileError as error:
        return error


def _refuse(answers: list[Any]) -> None:
    """If pictures cannot be used, 422 with the position (from 0) and the reason of each."""
    reasons = {position: str(one) for position, one in enumerate(answers) if isinstance(one, UnreadableFileError)}
    if reasons:
        text = "; ".join(f"pictures[{position}]: {reason}" for position, reason in reasons.items())
        raise HTTPException(422, {"error": text, "pictures": {str(position): why for position, why in reasons.items()}})


def _to_json(prediction: Prediction) -> dict[str, Any]:
    found = {"class": prediction.label, "class_id": prediction.index, "probability": prediction.probability}
    return found | {"probabilities": prediction.probabilities}

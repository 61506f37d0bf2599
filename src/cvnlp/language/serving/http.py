"""The HTTP interface of a language model: `POST /generate` and `POST /perplexity`."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from cvnlp.language.inference.generation import Sampling
from cvnlp.language.serving.language_model import SEED, TEMPERATURE, TOKENS, LanguageModel
from cvnlp.language.serving.limits import MAX_PROMPT, MAX_SEED, MAX_TEMPERATURE, MAX_TEXT, MAX_TOKENS, MAX_TOP_K
from cvnlp.language.serving.slots import BusyError, Slots

JSON = "application/json"
PIECE_SECONDS = 0.03  # generated text is passed on so often


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


Body = TypeVar("Body", bound=_Body)


class GenerateRequest(_Body):
    """`stream`: the text itself, as it is generated, instead of JSON at the end. The others as in `cvnlp generate`."""

    prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] = TOKENS
    temperature: Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)] = TEMPERATURE
    top_k: Annotated[int | None, Field(ge=1, le=MAX_TOP_K)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = SEED
    unknown: bool = False
    stream: bool = False


class GenerateResponse(BaseModel):
    """The continuation of the prompt, and the tokens of the prompt that are not in the vocabulary."""

    text: str
    unknown: list[str]


class PerplexityRequest(_Body):
    """A text to score from its beginning."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]


class PerplexityResponse(BaseModel):
    """`tokens` of the text, `unknown` of which are not in the vocabulary; perplexity is exp(nats_per_token)."""

    perplexity: float
    nats_per_token: float
    tokens: int
    unknown: int


def make_router(model: LanguageModel, *, slots: Slots | None = None) -> APIRouter:
    """The routes of the model, whose computations run in the `slots`."""
    places = slots or Slots()
    router = APIRouter()

    @router.post("/generate", response_model=GenerateResponse, openapi_extra=_documented(GenerateRequest))
    async def generate(request: Request) -> Response:
        """Continue a prompt. With stream, the answer is the text itself, in chunks as they are generated."""
        body = await _read(request, GenerateRequest)
        pieces = _pieces(model, body)
        async with AsyncExitStack() as stack:
            await _take(places, stack)
            if body.stream:
                return _Stream(_chunks(pieces, places), stack.pop_all())
            text = [piece async for piece in _chunks(pieces, places, request)]
        return JSONResponse({"text": "".join(text), "unknown": model.read(body.prompt)[1]})

    @router.post("/perplexity", response_model=PerplexityResponse, openapi_extra=_documented(PerplexityRequest))
    async def perplexity(request: Request) -> JSONResponse:
        """Score a text: the exponential of the mean negative log-likelihood of its tokens."""
        body = await _read(request, PerplexityRequest)
        async with AsyncExitStack() as stack:
            await _take(places, stack)
            found = await places.run(partial(model.perplexity, body.text))
        scores = {"perplexity": found.perplexity, "nats_per_token": found.nats_per_token}
        return JSONResponse(scores | {"tokens": found.tokens, "unknown": found.unknown})

    return router


def _documented(kind: type[_Body]) -> dict[str, Any]:
    """The body of a request, for OpenAPI."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": kind.model_json_schema()}}}}


async def _read(request: Request, kind: type[Body]) -> Body:
    """The body, by pydantic's parser: the one of FastAPI also takes UTF-16, and NaN as a number."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != JSON:
        raise HTTPException(415, f"Content-Type {given!r}: expected {JSON}")
    return kind.model_validate_json(await request.body())


async def _take(places: Slots, stack: AsyncExitStack) -> None:
    try:
        await stack.enter_async_context(places.taken())
    except BusyError:
        raise HTTPException(503, "too many texts wait to be generated", headers={"Retry-After": "2"}) from None


def _pieces(model: LanguageModel, body: GenerateRequest) -> Iterator[str]:
    sampling = Sampling(temperature=body.temperature, top_k=body.top_k, top_p=body.top_p, unknown=body.unknown)
    return model.stream(body.prompt, tokens=body.tokens, sampling=sampling, seed=body.seed)


async def _chunks(pieces: Iterator[str], places: Slots, request: Request | None = None) -> AsyncIterator[str]:
    """The text in chunks, each generated in a thread; it ends early if the client of `request` has gone."""
    while chunk := await places.run(partial(_next_chunk, pieces)):
        yield chunk
        if request is not None and await request.is_disconnected():
            return


def _next_chunk(pieces: Iterator[str]) -> str:
    """What is generated within PIECE_SECONDS, at least one token; nothing at the end of the text."""
    end, chunk = time.monotonic() + PIECE_SECONDS, ""
    for piece in pieces:
        chunk += piece
        if chunk and time.monotonic() >= end:
            break
    return chunk


class _Stream(StreamingResponse):
    """Text in chunks; the slot that `held` holds is free again when the text or the connection ends."""

    def __init__(self, chunks: AsyncIterator[str], held: AsyncExitStack) -> None:
        super().__init__(chunks, media_type="text/plain; charset=utf-8")
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)

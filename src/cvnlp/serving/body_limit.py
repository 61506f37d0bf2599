"""A limit of the size of request bodies, before they are in memory, and headers of every answer."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 10_000_000  # bytes
DISCARDED = 10  # times the limit: so much is read of a body that is refused, so that its client reads the answer


class BodyLimit:
    """ASGI middleware: a larger body is answered with 413, by its declared length or once it exceeds the limit."""

    def __init__(self, app: ASGIApp, *, limit: int = MAX_BODY) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._limit:
            await _discard(receive, DISCARDED * self._limit)
            await JSONResponse({"error": self._reason}, 413)(scope, receive, _with_headers(send))
            return
        await self._app(scope, self._counted(receive), _with_headers(send))

    @property
    def _reason(self) -> str:
        return f"the body of the request has more than {self._limit:,} bytes"

    def _counted(self, receive: Receive) -> Receive:
        """`receive`, which raises 413 for a body that exceeds the limit."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                if message.get("more_body", False):
                    await _discard(receive, DISCARDED * self._limit)
                raise HTTPException(413, self._reason)
            return message

        return counted


async def _discard(receive: Receive, limit: int) -> None:
    """Read the rest of a body without keeping it, up to `limit` bytes: many clients read no answer before."""
    size, more = 0, True
    while more and size < limit:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)


def _with_headers(send: Send) -> Send:
    """`send`, with a header without which browsers may guess another type of content."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return sending

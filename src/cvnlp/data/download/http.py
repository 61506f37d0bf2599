"""Resumable downloads over HTTP: a later attempt, also by another process, continues the partial file.

Proxies are those of the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
"""

import re
import time
from pathlib import Path
from typing import Any, BinaryIO

import pooch
import requests
from tqdm import tqdm

from cvnlp.data.download.verify import ContentMismatchError, NotFoundError, UnreachableError

RETRY_DELAYS: tuple[float, ...] = (1, 2, 4, 8)  # seconds before the next attempt after one that brought no new bytes
TIMEOUT = (10, 60)  # seconds to connect, and between two chunks
CHUNK_SIZE = 1 << 16  # bytes
RETRYABLE_STATUS = (408, 425, 429, 500, 502, 503, 504)


def download(url: str, partial: Path, *, limit: int) -> bool:
    """Download `url` to `partial`, continuing after the bytes that are already there.

    Returns whether the bytes come from more than one response, for then they may mix two versions of the file.
    Raises ContentMismatchError above `limit` bytes, NotFoundError if the server does not have the file, and
    UnreachableError if it does not answer.
    """
    partial.touch()
    with partial.open("r+b") as file:
        target = _PartialFile(file, limit)
        failures = 0
        while True:
            before = target.furthest
            try:
                _request(url, target)
                return target.was_continued
            except requests.RequestException as error:
                if target.is_complete:
                    return True
                reason = _reason(error)
                if _is_permanent(error):
                    raise NotFoundError(reason) from None
            failures = failures + 1 if target.furthest == before else 0
            if failures > (len(RETRY_DELAYS) if target.was_answered else 1):
                raise (NotFoundError if target.was_answered else UnreachableError)(reason)
            _wait(reason, failures)


class _PartialFile:
    """The file object that pooch writes to: places each response at its offset in the partial file."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.file, self.limit = file, limit
        self.was_answered = self.was_continued = self.is_complete = False
        self.furthest = file.seek(0, 2)  # largest size so far in bytes

    def seek_to(self, response: requests.Response, **_: Any) -> None:
        """Seek to the start of the response: servers may ignore the requested range or send another one."""
        self.was_answered = True
        if response.status_code == 416 and self.file.tell():
            self.is_complete = True  # no bytes are left; the checksum decides whether these are the right ones
        elif response.status_code in (200, 206):
            stated = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            start = self.file.tell() if response.status_code == 206 else 0
            self.file.seek(int(stated[1]) if stated else start)
            self.file.truncate()
            self.was_continued = self.file.tell() > 0

    def write(self, data: bytes) -> int:
        if self.file.tell() + len(data) > self.limit:
            raise ContentMismatchError(f"serves more than {self.limit} bytes, the most that is expected")
        written = self.file.write(data)
        self.furthest = max(self.furthest, self.file.tell())
        return written

    def flush(self) -> None:
        self.file.flush()


def _request(url: str, target: _PartialFile) -> None:
    start = target.file.seek(0, 2)
    headers = {"Accept-Encoding": "identity"}  # ranges refer to the stored file
    if start:
        headers["Range"] = f"bytes={start}-"
    # `total` is the limit until the response states the size; without a terminal no bar is drawn
    with tqdm(desc=Path(url).name, total=target.limit, unit="B", unit_scale=True, disable=None) as bar:
        get = pooch.HTTPDownloader(
            bar, CHUNK_SIZE, headers=headers, timeout=TIMEOUT, hooks={"response": target.seek_to}, stream=True
        )
        get(url, target, None)


def _is_permanent(error: requests.RequestException) -> bool:
    return error.response is not None and error.response.status_code not in RETRYABLE_STATUS


def _reason(error: requests.RequestException) -> str:
    """The message of the innermost of the nested errors, in one line."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    inner = error.args[0] if error.args else error
    message = str(getattr(inner, "reason", None) or inner)
    return " ".join(re.sub(r"^.*?(?:object at 0x\w+>|Connection\([^)]*\)): ", "", message).split())


def _wait(reason: str, failures: int) -> None:
    delay = RETRY_DELAYS[min(max(failures, 1), len(RETRY_DELAYS)) - 1] if RETRY_DELAYS else 0
    print(f"interrupted ({reason}); trying again in {delay:g} s", flush=True)
    time.sleep(delay)

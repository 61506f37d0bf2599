"""Download by HTTP into a partial file, which a later attempt, also of another process, goes on from.

Proxies are those of the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
"""

import re
import time
from pathlib import Path
from typing import Any, BinaryIO

import pooch
import requests
from tqdm import tqdm

from cvnlp.data.download.verify import Absent, Unreached, Wrong

PAUSES: tuple[float, ...] = (1, 2, 4, 8)  # seconds before the next attempt, if the last one brought nothing new
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
PIECE = 1 << 16  # bytes
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # HTTP's answers that may be another one soon


def download(url: str, partial: Path, *, limit: int) -> bool:
    """Bring all that `url` serves to `partial`, going on from the bytes that are there; Wrong above `limit` bytes.

    Returns whether the bytes are of more than one answer, for then they may be of more than one version of the file.
    """
    partial.touch()
    with partial.open("r+b") as file:
        answer = _Answer(file, limit)
        failures = 0
        while True:
            before = answer.furthest
            try:
                _request(url, answer)
                return answer.continued
            except requests.RequestException as error:
                if answer.is_all:
                    return True
                reason = _reason(error)
                if _is_final(error):
                    raise Absent(reason) from None
            failures = failures + 1 if answer.furthest == before else 0
            if failures > (len(PAUSES) if answer.reached else 1):
                raise (Absent if answer.reached else Unreached)(reason)
            _wait(reason, failures)


class _Answer:
    """What a server answers, put where it belongs in the partial file: the file object that pooch writes to."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.file, self.limit = file, limit
        self.reached = self.continued = self.is_all = False
        self.furthest = file.seek(0, 2)  # the most bytes that were there at any time

    def place(self, response: requests.Response, **_: Any) -> None:
        """A server may ignore the range that was asked for, or give another one."""
        self.reached = True
        if response.status_code == 416 and self.file.tell():
            self.is_all = True  # nothing is left to send; whether the bytes are right, the checksum tells
        elif response.status_code in (200, 206):
            stated = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            start = self.file.tell() if response.status_code == 206 else 0
            self.file.seek(int(stated[1]) if stated else start)
            self.file.truncate()
            self.continued = self.file.tell() > 0

    def write(self, data: bytes) -> int:
        if self.file.tell() + len(data) > self.limit:
            raise Wrong(f"serves more than the {self.limit} bytes that are expected at most")
        written = self.file.write(data)
        self.furthest = max(self.furthest, self.file.tell())
        return written

    def flush(self) -> None:
        self.file.flush()


def _request(url: str, answer: _Answer) -> None:
    start = answer.file.seek(0, 2)
    headers = {"Accept-Encoding": "identity"}  # ranges are of the file as it is stored
    if start:
        headers["Range"] = f"bytes={start}-"
    # the total is what may come at most, until the answer states it; without a terminal there is no bar
    with tqdm(desc=Path(url).name, total=answer.limit, unit="B", unit_scale=True, disable=None) as bar:
        get = pooch.HTTPDownloader(
            bar, PIECE, headers=headers, timeout=TIMEOUT, hooks={"response": answer.place}, stream=True
        )
        get(url, answer, None)


def _is_final(error: requests.RequestException) -> bool:
    return isinstance(error, requests.HTTPError) and _answered(error).status_code not in TRANSIENT


def _answered(error: requests.HTTPError) -> requests.Response:
    assert error.response is not None, "it is the answer that is the error"
    return error.response


def _reason(error: requests.RequestException) -> str:
    """The innermost of the errors that wrap each other, in one line."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP {_answered(error).status_code} {_answered(error).reason}"
    inner = error.args[0] if error.args else error
    words = str(getattr(inner, "reason", None) or inner)
    return " ".join(re.sub(r"^.*?(?:object at 0x\w+>|Connection\([^)]*\)): ", "", words).split())


def _wait(reason: str, failures: int) -> None:
    pause = PAUSES[min(max(failures, 1), len(PAUSES)) - 1] if PAUSES else 0
    print(f"interrupted ({reason}); trying again in {pause:g} s", flush=True)
    time.sleep(pause)

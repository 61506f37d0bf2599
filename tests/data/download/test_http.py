"""A download is complete and verified, or an error, whatever the server and the connection do."""

import contextlib
import errno
import gzip
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cvnlp import catalogue
from cvnlp.data.download import fetch as fetching
from cvnlp.data.download import http, verify

FILE = "letters.txt"
SRC = Path(__file__).parents[3] / "src"


def fetch(folder: Path) -> bytes:
    """Fetch the only file of the source, and check that no other file is left."""
    paths = fetching.fetch("made", folder / "raw")
    assert [path.name for path in (folder / "raw" / "made").iterdir()] == [FILE]
    assert [path.name for path in (folder / "raw").iterdir()] == ["made"]
    return paths[FILE].read_bytes()


def partial(folder: Path, url: str) -> Path:
    name = f".{FILE}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
    (folder / "raw" / "made").mkdir(parents=True, exist_ok=True)
    return folder / "raw" / "made" / name


def test_file_is_downloaded_once(tmp_path: Path, server: Any, source: Any, content: bytes) -> None:
    server.files["/a"] = content
    source(urls=(server.url("/a"),))
    assert fetch(tmp_path) == content
    assert fetch(tmp_path) == content
    assert server.requests == [("/a", None)]


def test_gzipped_file_is_stored_unzipped(
    tmp_path: Path, server: Any, source: Any, content: bytes, gzipped: bytes
) -> None:
    server.files["/a.gz"] = gzipped
    source(urls=(server.url("/a.gz"),))
    assert fetch(tmp_path) == content


def test_file_that_a_server_decompresses_is_accepted(tmp_path: Path, server: Any, source: Any, content: bytes) -> None:
    server.files["/a.gz"] = content
    source(urls=(server.url("/a.gz"),))
    assert fetch(tmp_path) == content


def test_progress_bar_reaches_the_size(
    tmp_path: Path, server: Any, source: Any, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    server.files["/a"] = content
    source(urls=(server.url("/a"),))
    bars = []

    class Bar(http.tqdm):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options | {"disable": False})
            bars.append(self)

    monkeypatch.setattr(http, "tqdm", Bar)
    fetch(tmp_path)
    assert [(bar.n, bar.total) for bar in bars] == [(len(content), len(content))]
    printed = capsys.readouterr()
    assert FILE in printed.out
    assert "20.0 kB" in printed.out
    assert "100%" in printed.err


def test_no_progress_bar_is_written_to_a_log(
    tmp_path: Path, server: Any, source: Any, content: bytes, capfd: Any
) -> None:
    server.files["/a"] = content
    source(urls=(server.url("/a"),))
    fetch(tmp_path)
    assert "%" not in capfd.readouterr().err


def test_broken_connection_is_resumed(tmp_path: Path, server: Any, source: Any, content: bytes) -> None:
    server.files["/a"] = content
    server.faults["/a"] = ["cut 5000", "cut 3000"]
    source(urls=(server.url("/a"),))
    assert fetch(tmp_path) == content
    assert server.ranges("/a") == [None, "bytes=5000-", "bytes=8000-"]


def test_download_continues_while_every_attempt_brings_new_bytes(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files["/a"] = content
    server.faults["/a"] = ["cut 2000"] * 9
    source(urls=(server.url("/a"),))
    assert fetch(tmp_path) == content


def test_download_without_new_bytes_ends_and_keeps_the_partial_file(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files["/a"] = content
    server.faults["/a"] = ["cut 5000", *["cut 0"] * 20]
    source(urls=(server.url("/a"),))
    with pytest.raises(ConnectionError, match=FILE):
        fetch(tmp_path)
    assert len(server.requests) == 2 + len(http.RETRY_DELAYS)
    assert partial(tmp_path, server.url("/a")).read_bytes() == content[:5000]
    server.faults["/a"] = []
    assert fetch(tmp_path) == content
    assert server.ranges("/a")[-1] == "bytes=5000-"


def test_retry_delays_grow(
    tmp_path: Path, server: Any, source: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(http, "RETRY_DELAYS", (1, 2, 4))
    monkeypatch.setattr(http.time, "sleep", slept.append)
    server.files["/a"] = content
    server.faults["/a"] = ["503", "429", "500"]
    source(urls=(server.url("/a"),))
    assert fetch(tmp_path) == content
    assert slept == [1, 2, 4]


@pytest.mark.parametrize("fault", ["no ranges", "shifted"])
def test_response_with_another_range_is_placed_correctly(
    tmp_path: Path, server: Any, source: Any, content: bytes, fault: str
) -> None:
    server.files["/a"] = content
    server.faults["/a"] = ["cut 5000", fault]
    source(urls=(server.url("/a"),))
    assert fetch(tmp_path) == content
    assert server.ranges("/a") == [None, "bytes=5000-"]


def test_longer_partial_file_is_truncated_when_a_server_sends_the_whole_file(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files["/a"] = content
    server.faults["/a"] = ["no ranges"]
    source(urls=(server.url("/a"),))
    partial(tmp_path, server.url("/a")).write_bytes(bytes(len(content) + 100))
    assert fetch(tmp_path) == content
    assert len(server.requests) == 1


def test_complete_partial_file_is_accepted(tmp_path: Path, server: Any, source: Any, content: bytes) -> None:
    server.files["/a"] = content
    source(urls=(server.url("/a"),))
    partial(tmp_path, server.url("/a")).write_bytes(content)
    assert fetch(tmp_path) == content
    assert server.ranges("/a") == [f"bytes={len(content)}-"]


@pytest.mark.parametrize("size", [1, 5000, 20_000, 20_001, 1_000_000])
def test_partial_file_with_other_content_is_discarded(
    tmp_path: Path, server: Any, source: Any, content: bytes, size: int
) -> None:
    server.files["/a"] = content
    source(urls=(server.url("/a"),))
    partial(tmp_path, server.url("/a")).write_bytes(bytes(size))
    assert fetch(tmp_path) == content
    assert server.ranges("/a") == [f"bytes={size}-", None]


def test_file_that_changes_between_two_attempts_is_downloaded_again(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files["/a"] = bytes(len(content))
    server.faults["/a"] = ["cut 5000", *["503"] * 4]
    source(urls=(server.url("/a"),))
    with pytest.raises(ConnectionError):
        fetch(tmp_path)
    server.files["/a"] = content
    assert fetch(tmp_path) == content


@pytest.mark.parametrize("status", ["404", "403", "500"])
def test_url_without_the_file_is_followed_by_the_next(
    tmp_path: Path, server: Any, source: Any, content: bytes, status: str
) -> None:
    server.files |= {"/a": content, "/b": content}
    server.faults["/a"] = [status] * 10
    source(urls=(server.url("/a"), server.url("/b")))
    assert fetch(tmp_path) == content
    assert len(server.ranges("/a")) == (1 + len(http.RETRY_DELAYS) if status == "500" else 1)


def test_url_with_another_file_is_followed_by_the_next(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files |= {"/a": b"another file", "/b": content}
    source(urls=(server.url("/a"), server.url("/b")))
    assert fetch(tmp_path) == content


def test_mismatch_everywhere_names_all_locations_and_digests(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files |= {"/a": b"one file", "/b": b"another file"}
    source(urls=(server.url("/a"), server.url("/b"), server.url("/c")))
    with pytest.raises(ValueError, match="made") as caught:
        fetch(tmp_path)
    for words in (b"one file", b"another file", content):
        assert hashlib.sha256(words).hexdigest() in str(caught.value)
    for words in ("/a", "/b", "HTTP 404", FILE):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "raw" / "made").iterdir()) == []


@pytest.mark.parametrize("zipped", [False, True])
def test_endless_file_is_cut_off(
    tmp_path: Path, server: Any, source: Any, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    """A gzip bomb fills no disk: no more is written than the expected size and one chunk."""
    flood = bytes(20_000_000)
    server.files["/a"] = gzip.compress(flood) if zipped else flood
    source(urls=(server.url("/a"),))
    sizes = []
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        if path.is_file():
            sizes.append(path.stat().st_size)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    with pytest.raises(ValueError, match="more than"):
        fetch(tmp_path)
    assert max(sizes) < 2_000_000
    assert list((tmp_path / "raw" / "made").iterdir()) == []


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses to let any file of this process grow beyond `size` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("place", ["download", "unzipped"])
def test_full_disk_is_an_error_that_names_the_file(
    tmp_path: Path, server: Any, source: Any, content: bytes, place: str
) -> None:
    content = content if place == "download" else bytes(len(content))  # zeros: small until it is decompressed
    server.files["/a"] = gzip.compress(content)
    source(urls=(server.url("/a"),), sha256=hashlib.sha256(content).hexdigest())
    with largest_file(5000), pytest.raises(OSError, match=FILE) as caught:
        fetch(tmp_path)
    assert caught.value.errno == errno.EFBIG
    assert not (tmp_path / "raw" / "made" / FILE).exists()
    assert fetch(tmp_path) == content


def test_killed_download_is_resumed_by_the_next_process(
    tmp_path: Path, server: Any, source: Any, content: bytes
) -> None:
    server.files["/a"] = content
    server.faults["/a"] = ["stall 5000"]
    stated = source(urls=(server.url("/a"),))
    script = (
        "import sys; from pathlib import Path\n"
        "from cvnlp import catalogue; from cvnlp.data.download import fetch, http\n"
        "http.CHUNK_SIZE = 1000\n"
        f"file = catalogue.File({stated.name!r}, {stated.sha256!r}, {stated.size}, urls={stated.urls!r})\n"
        "catalogue.SOURCES['made'] = catalogue.Source('language', '', (file,), (), '', '', '', {})\n"
        "fetch.fetch('made', Path(sys.argv[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "raw")], env=environment) as process:
        assert server.stalled.wait(60)
        part = partial(tmp_path, server.url("/a"))
        while not part.exists() or part.stat().st_size < 5000:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "raw" / "made" / FILE).exists()
    assert fetch(tmp_path) == content
    assert server.ranges("/a") == [None, "bytes=5000-"]


def test_concurrent_fetches_make_one_request(tmp_path: Path, server: Any, source: Any, content: bytes) -> None:
    server.files["/a"] = content
    source(urls=(server.url("/a"),))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetching.fetch("made", tmp_path / "raw")[FILE].read_bytes(), range(4)))
    assert found == [content] * 4
    assert server.requests == [("/a", None)]


# A mirror that is a server --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mirror_may_be_a_server(
    tmp_path: Path,
    server: Any,
    source: Any,
    content: bytes,
    gzipped: bytes,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    monkeypatch.setenv("CVNLP_MIRROR", server.url("/data/"))
    server.files |= {f"/data/made/{FILE}{suffix}": gzipped if suffix else content, "/a": b"another"}
    source(urls=(server.url("/a"),))
    assert fetch(tmp_path) == content
    assert server.ranges("/a") == []


def test_wrong_file_of_a_mirror_that_is_a_server_is_an_error(
    tmp_path: Path, server: Any, source: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVNLP_MIRROR", server.url("/data"))
    server.files |= {f"/data/made/{FILE}": b"another", "/a": content}
    source(urls=(server.url("/a"),))
    with pytest.raises(ValueError, match=hashlib.sha256(b"another").hexdigest()):
        fetch(tmp_path)
    assert server.ranges("/a") == []


def test_unreachable_mirror_is_skipped(
    tmp_path: Path, server: Any, source: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVNLP_MIRROR", "http://user:hidden@127.0.0.1:1/data")
    source(urls=(server.url("/a"),))
    with pytest.raises(ConnectionError, match="refused") as caught:
        fetch(tmp_path)
    assert "hidden" not in str(caught.value)
    server.files["/a"] = content
    assert fetch(tmp_path) == content


# No network -----------------------------------------------------------------------------------------------------------


def test_no_network_names_every_missing_file_in_one_line(
    tmp_path: Path, source: Any, content: bytes, gzipped: bytes, mirror: Path
) -> None:
    digest = hashlib.sha256(content).hexdigest()
    places = ("http://127.0.0.1:1/here", "http://127.0.0.1:1/there")
    source(
        *(
            catalogue.File(name, digest, len(content), urls=tuple(f"{place}/{name}.gz" for place in places))
            for name in ("first", "second", "third")
        )
    )
    (mirror / "second.gz").write_bytes(gzipped)
    with pytest.raises(ConnectionError) as caught:
        fetching.fetch("made", tmp_path / "raw")
    message = str(caught.value)
    for words in (
        "made",
        "first (20.0 kB)",
        "third",
        *places,
        "CVNLP_MIRROR=<folder>",
        "<folder>/made/",
        "HTTPS_PROXY",
    ):
        assert words in message
    assert "second" not in message
    assert "\n" not in message
    assert [path.name for path in (tmp_path / "raw").rglob("*") if path.is_file()] == ["second"]


def test_unreachable_host_is_not_tried_for_the_next_file(
    tmp_path: Path, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def unreachable(url: str, *_: Any, **__: Any) -> bool:
        tried.append(url)
        raise verify.UnreachableError("no answer")

    monkeypatch.setattr(http, "download", unreachable)
    urls = ("http://one.example/a", "http://two.example/a")
    source(*(catalogue.File(name, "0" * 64, 1, urls=urls) for name in ("first", "second", "third")))
    with pytest.raises(ConnectionError):
        fetching.fetch("made", tmp_path / "raw")
    assert tried == list(urls)


def test_proxy_of_the_environment_is_used(
    tmp_path: Path, server: Any, source: Any, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url())
    server.files["http://data.example/a"] = content  # a proxy receives whole URLs
    source(urls=("http://data.example/a",))
    assert fetch(tmp_path) == content

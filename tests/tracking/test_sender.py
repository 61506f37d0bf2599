"""What the sender does when MLflow fails, with a store that fails on demand."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cvnlp.tracking import mlflow_store, sender
from cvnlp.tracking.messages import End, Metrics, Start
from cvnlp.tracking.run_metadata import DatasetReference, RunMetadata
from cvnlp.tracking.sender import Sender

RUN = RunMetadata(
    name="cnn",
    params={"train.lr": "0.1"},
    tags={"run": "cnn"},
    dataset=DatasetReference(name="digits", digest="abc", source="data"),
)
Epochs = Iterable[tuple[Mapping[str, float], int, float]]


class FailingStore:
    """`failures`: how many of the next requests fail, after they were carried out."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.opened = failures, 0
        self.logged: list[tuple[int, float]] = []
        self.requests: list[int] = []
        self.tags: dict[str, str] = {}
        self.status = ""
        self.client = self

    def log_epochs(self, run_id: str, epochs: Epochs) -> None:
        found = [(step, at) for _, step, at in epochs]
        self.requests.append(len(found))
        self.logged += found
        self._fail()

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self.tags |= tags

    def set_terminated(self, run_id: str, status: str) -> None:
        self._fail()
        self.status = status

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no answer")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(run=RUN, note=tmp_path / "note", pid=1, at=1000.0)


def use(store: FailingStore, monkeypatch: pytest.MonkeyPatch, *, opens: Callable[[], bool] = lambda: True) -> None:
    """Let the sender find this store, if `opens` is true."""

    def open_run(start: Start) -> Any:
        store.opened += 1
        if not opens():
            raise ConnectionError("no server")
        return store, "id"

    monkeypatch.setattr(sender, "open_run", open_run)
    monkeypatch.setattr(sender, "PAUSES", (0.01,))
    monkeypatch.delenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", raising=False)


def epoch(number: int) -> Metrics:
    return Metrics(values={"loss": 1.0}, step=number, at=1000.0 + number)


def finish(sending: Sender) -> None:
    sending.put(End(status="FINISHED", tags={"model.sha256": "f00"}))
    sending.close(60)


def test_a_failed_request_is_repeated_with_the_same_times(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    store = FailingStore(failures=2)
    use(store, monkeypatch)
    sending = Sender(start)
    sending.put(epoch(0))
    deadline = time.monotonic() + 60
    while store.failures:
        assert time.monotonic() < deadline
    sending.put(epoch(1))
    finish(sending)
    assert set(store.logged) == {(0, 1000.0), (1, 1001.0)} and len(store.logged) > 3
    assert (store.status, store.tags) == ("FINISHED", {"model.sha256": "f00"})
    printed = capsys.readouterr().err
    assert printed.count("note: MLflow cannot be reached (ConnectionError: no answer)") == 1
    assert printed.count("note: MLflow answers again") == 1


def send_late(start: Start, monkeypatch: pytest.MonkeyPatch, *, epochs: int) -> FailingStore:
    """A store that answers once so many epochs are recorded, and has what was kept."""
    server = threading.Event()
    store = FailingStore()
    use(store, monkeypatch, opens=server.is_set)
    sending = Sender(start)
    for number in range(epochs):
        sending.put(epoch(number))
    server.set()
    finish(sending)
    return store


def test_everything_that_was_kept_arrives_in_few_requests(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    store = send_late(start, monkeypatch, epochs=2500)
    assert [step for step, _ in store.logged] == list(range(2500))
    assert store.requests == [1000, 1000, 500]


def test_of_too_many_epochs_the_newest_are_kept(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LIMIT", 100)
    store = send_late(start, monkeypatch, epochs=250)
    assert [step for step, _ in store.logged] == list(range(150, 250))


def test_a_training_ends_at_once_if_mlflow_is_still_unreachable(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FailingStore()
    use(store, monkeypatch, opens=lambda: False)
    monkeypatch.setattr(sender, "PAUSES", (1000.0,))
    sending = Sender(start)
    deadline = time.monotonic() + 60
    while not store.opened:
        assert time.monotonic() < deadline
    with pytest.raises(ConnectionError, match="no server"):
        finish(sending)
    assert store.status == ""


def test_a_request_without_an_answer_does_not_hold_up_the_training(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    use(FailingStore(), monkeypatch, opens=answer.wait)
    sending = Sender(start)
    sending.put(epoch(0))
    with pytest.raises(TimeoutError, match="no answer for"):
        sending.close(0.05)
    answer.set()


def test_a_pipe_that_closes_without_an_end_is_a_killed_run(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FailingStore()
    use(store, monkeypatch)
    sending = Sender(start)
    sending.put(epoch(0))
    sending.close(60)
    assert (store.status, store.logged) == ("KILLED", [(0, 1000.0)])


def test_a_run_whose_creation_was_not_answered_is_found_again(
    start: Start, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())

    def lost(*arguments: Any) -> None:
        raise ConnectionError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_store.Store, "describe_run", lost)
        with pytest.raises(ConnectionError):
            sender.open_run(start)
    assert not start.note.exists()
    store, first = sender.open_run(start)
    (run,) = store.find_runs("")
    assert (run.info.run_id, run.data.params, run.info.start_time) == (first, {"train.lr": "0.1"}, 1_000_000)
    assert run.inputs.dataset_inputs[0].dataset.name == "digits"
    store.describe_run(first, RUN)
    assert len(store.client.get_run(first).inputs.dataset_inputs) == 1
    assert sender.open_run(start)[1] == first == start.note.read_text()
    assert sender.open_run(start.model_copy(update={"at": 2000.0, "note": tmp_path / "other"}))[1] != first


def test_a_failing_store_is_not_taken_for_one_without_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    def fail(*arguments: Any) -> None:
        raise MlflowException("API request failed")

    monkeypatch.setattr(MlflowClient, "get_run", fail)
    store = mlflow_store.Store(MlflowClient("http://127.0.0.1:9"), "1")
    with pytest.raises(MlflowException, match="API request failed"):
        store.get_run("f" * 32)

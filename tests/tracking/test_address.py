"""The address of MLflow's store: any folder name, and no password in any message."""

import logging
import os
import sys
from pathlib import Path

import pytest
import sqlalchemy

from cvnlp.tracking import address

PASSWORD = "geheim/wort?"
SPELLED = "geheim%2Fwort%3F"
FOLDERS = ["plain", "a ? and # and %", "100%25", "50%", "été ☃", "a b+c&d=e", "semi;colon:at@"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DVC_ROOT", address.URI, address.USERNAME, address.PASSWORD, address.TOKEN):
        monkeypatch.setenv(name, "")  # so that the test's changes are undone
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_database_is_in_the_projects_folder_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "dvc.yaml").touch()
    monkeypatch.chdir(folder)
    engine = sqlalchemy.create_engine(address.tracking_uri())
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("create table made (number int)"))
    engine.dispose()
    assert {path.name for path in folder.iterdir()} == {"dvc.yaml", "mlflow.db"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_relative_database_is_in_the_projects_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    (folder / "reports").mkdir(parents=True)
    (folder / "dvc.yaml").touch()
    monkeypatch.chdir(folder / "reports")
    monkeypatch.setenv(address.URI, "sqlite:///mlflow.db")
    assert address.tracking_uri() == address.own_database()
    monkeypatch.setenv(address.URI, address.tracking_uri())
    assert address.tracking_uri() == address.own_database()


@pytest.mark.parametrize("given", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "mysql://u@h/d"])
def test_other_databases_are_used_as_they_are_given(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(address.URI, given)
    assert address.tracking_uri() == given


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f"https://me:{SPELLED}@example.org:8080/mlflow", ("https://example.org:8080/mlflow", "me", PASSWORD)),
        ("http://m%40e:a:b@example.org", ("http://example.org", "m@e", "a:b")),
        ("http://example.org/", ("http://example.org/", None, None)),
    ],
)
def test_credentials_of_a_server_move_to_the_variables_of_mlflow(
    given: str, expected: tuple[str, str | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(address.URI, given)
    found = address.tracking_uri()
    assert (found, os.environ.get(address.USERNAME), os.environ.get(address.PASSWORD)) == expected
    assert os.environ[address.URI] == found == address.tracking_uri()


@pytest.mark.parametrize("given", [f"http://me:{PASSWORD}@example.org", "http://[me:secret@example.org"])
def test_an_address_that_cannot_be_parsed_is_refused_without_repeating_it(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(address.URI, given)
    with pytest.raises(ValueError, match=r"MLFLOW_TRACKING_URI is not a valid address; .*%2F") as caught:
        address.tracking_uri()
    assert "me" not in str(caught.value).replace("MLFLOW", "").split() and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        f"https://me:{SPELLED}@example.org",
        f"postgresql://me:{SPELLED}@example.org/mlflow",
        f"postgresql+psycopg2://example.org/mlflow?user=me&password={SPELLED}",
        f"mssql+pyodbc:///?odbc_connect={SPELLED}",
    ],
)
def test_nothing_that_is_printed_contains_the_password(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(address.URI, given)
    for _ in range(2):  # before and after the credentials have moved
        for text in (given, PASSWORD, SPELLED):
            with address.masked_output():
                print(text)
                print(text, file=sys.stderr)
                logging.getLogger("not configured").warning(text)
                sys.excepthook(ValueError, ValueError(text), None)
            print(address.one_line(ValueError(text)))
        address.tracking_uri()
    found = capsys.readouterr()
    assert found.out.count(address.MASK) == 12 and address.MASK in found.err
    assert PASSWORD not in found.out + found.err and SPELLED not in found.out + found.err


def test_short_passwords_are_masked_in_addresses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(address.URI, "postgresql://me:in@example.org")
    assert address.mask("postgresql://me:in@example.org is in use") == "postgresql://me:***@example.org is in use"


def test_an_error_without_a_message_is_its_class() -> None:
    assert address.one_line(TimeoutError()) == "TimeoutError"
    assert address.one_line(ValueError("first\nsecond")) == "ValueError: first"

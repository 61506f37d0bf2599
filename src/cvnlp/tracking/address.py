"""The address of MLflow's store, from $MLFLOW_TRACKING_URI, and its credentials, which no message shows.

Imports no MLflow.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, unquote, urlsplit

import sqlalchemy
from sqlalchemy.exc import ArgumentError

URI = "MLFLOW_TRACKING_URI"
USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # that MLflow can use without a server
SECRET_OPTIONS = ("password", "passwd", "odbc_connect")  # of a database, after the `?` of its URL
MASK = "***"
UNAMBIGUOUS = 4  # characters from which a password is masked wherever it occurs, not only in a URL


def project_root() -> Path:
    """The project's folder, also within DVC's temporary ones: $DVC_ROOT, else the nearest folder with dvc.yaml."""
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"]).resolve()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), here)


def own_database() -> str:
    """The URL of the SQLite database in the project's folder, whose name may contain any character."""
    return sqlalchemy.URL.create("sqlite", database=str(project_root() / "mlflow.db")).render_as_string()


def tracking_uri() -> str:
    """$MLFLOW_TRACKING_URI, else the project's own database.

    User and password in the address of a server move to the variables that MLflow has for them: MLflow prints its
    address. A relative path of SQLite is one in the project's folder, also for commands that run elsewhere. ValueError
    for an address that cannot be parsed, which the message does not repeat.
    """
    given = os.environ.get(URI)
    if not given:
        return own_database()
    if is_server(given):
        given = os.environ[URI] = _without_credentials(given)
    elif given.startswith("sqlite:"):
        given = _in_project(given)
    return given


def is_server(uri: str) -> bool:
    return uri.startswith(("http:", "https:"))


def is_database(uri: str) -> bool:
    return uri.partition(":")[0].partition("+")[0] in DATABASES


def _in_project(uri: str) -> str:
    url = sqlalchemy.make_url(uri)
    if not url.database or url.database.startswith(("file:", ":memory:")):
        return uri
    return url.set(database=str(project_root() / url.database)).render_as_string(hide_password=False)


def _without_credentials(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        message = "is not a valid address; write the characters / ? # [ ] of a user or password as %2F %3F %23 %5B %5D"
        raise ValueError(f"{URI} {message}") from None
    credentials, _, host = parts.netloc.rpartition("@")
    if credentials:
        user, _, password = credentials.partition(":")
        os.environ[USERNAME], os.environ[PASSWORD] = unquote(user), unquote(password)
    return parts._replace(netloc=host).geturl()


@contextlib.contextmanager
def masked_output() -> Iterator[None]:
    """Mask passwords in all that is printed within: messages, warnings, logs and tracebacks, also those of MLflow."""
    with (
        contextlib.redirect_stdout(_MaskedStream(sys.stdout)),
        contextlib.redirect_stderr(_MaskedStream(sys.stderr)),
    ):
        yield


class _MaskedStream:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(mask(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def one_line(error: Exception) -> str:
    """Class and first line of an error of MLflow, without passwords."""
    return mask(": ".join([type(error).__name__, *str(error).splitlines()[:1]]))


def mask(text: str) -> str:
    """`text` with *** in place of every password of the environment's address and variables."""
    for secret in _secrets():
        text = text.replace(f":{secret}@", f":{MASK}@")
        if len(secret) >= UNAMBIGUOUS:
            text = text.replace(secret, MASK)
    return text


def _secrets() -> list[str]:
    """Passwords as they are and as the URL spells them, the longest first, for one may contain another."""
    uri = os.environ.get(URI, "")
    found = re.findall(r"://[^:@/]*:(.*)@", uri)
    with contextlib.suppress(ArgumentError):
        url = sqlalchemy.make_url(uri)
        values = [value for option in SECRET_OPTIONS if option in url.query for value in _all(url.query[option])]
        found += [str(url.password or ""), *values]
    found += [os.environ.get(name, "") for name in (PASSWORD, TOKEN)]
    spelled = {form for secret in found if secret for form in (secret, unquote(secret), quote(secret, safe=""))}
    return sorted(spelled, key=len, reverse=True)


def _all(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)

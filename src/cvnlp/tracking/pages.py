"""MLflow's pages of the runs: those of a server, or served on this machine alone."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

from cvnlp.tracking import address

HOST = "127.0.0.1"
# without the query MLflow opens its view of language model applications
LINK = "{server}/#/experiments/{experiment}?workflowType=machine_learning"


def show(*, port: int) -> None:
    """Print the link to the experiment; serve its pages until the process is interrupted, unless a server does.

    OSError if the port is in use, ConnectionError if the server does not answer.
    """
    uri = address.tracking_uri()
    if not address.is_server(uri):
        _check_free(port)
    with address.masked_output():
        experiment = _experiment()
        server = uri.rstrip("/") if address.is_server(uri) else f"http://{HOST}:{port}"
        print(LINK.format(server=server, experiment=experiment), flush=True)
    if not address.is_server(uri):
        _serve(uri, port)


def _experiment() -> str:
    try:
        from cvnlp.tracking import mlflow_store

        return mlflow_store.connect().experiment
    except Exception as error:
        where = address.mask(address.tracking_uri())
        raise ConnectionError(f"MLflow at {where} does not answer ({address.one_line(error)})") from None


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError:
            raise ValueError(f"port {port}: --port is from 0 to 65535") from None
        except OSError as error:
            raise OSError(f"port {port} of {HOST}: {error.strerror}; choose another one with --port") from None


def _serve(uri: str, port: int) -> None:
    """One worker, for each has all of MLflow in memory; the address may hold a password, so it is no argument.

    The server does not get Ctrl-C, after which it prints a traceback, but SIGTERM when this process ends.
    """
    command = [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port), "--workers", "1"]
    # jobs of language model applications, for which MLflow starts seven more processes, are off unless they are set
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with subprocess.Popen(command, env=environment, start_new_session=True) as server:
        try:
            code = server.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
    if code:
        raise ChildProcessError(f"`mlflow ui` has ended with exit code {code}")

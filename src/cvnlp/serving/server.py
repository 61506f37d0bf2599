"""Run a web application, such as that of a model, until the process is interrupted or terminated."""

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from cvnlp.serving.application import create_app
from cvnlp.serving.loading import load

GRACE = 5  # seconds for requests that run when the server ends


def serve(folder: Path, *, name: str, host: str, port: int, access_log: bool = False) -> None:
    """Serve the model in `folder` under this `name`; port 0 is any free one. Prints the address.

    OSError if the port is in use. KeyboardInterrupt after Ctrl-C; SystemExit without an error after SIGTERM.
    """
    run(lambda: create_app(load(folder), folder, name=name), name=name, host=host, port=port, access_log=access_log)


def run(make_app: Callable[[], ASGIApp], *, name: str, host: str, port: int, access_log: bool = False) -> None:
    """As `serve`, for any application; it is made when the port is known to be free."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when its requests have ended
    with listen(host, port) as listening:
        _warn(host)
        app = make_app()
        level = "info" if access_log else "warning"
        config = uvicorn.Config(
            app, log_level=level, access_log=access_log, timeout_graceful_shutdown=GRACE, server_header=False, ws="none"
        )
        print(f"{name}: {_address(listening)}  (Ctrl-C ends the server)", flush=True)
        uvicorn.Server(config).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; OSError or ValueError with the reason if it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1024)
        # connections inherit it; without it every answer waits 40 ms for the client to confirm its head
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OverflowError:
        raise ValueError(f"port {port}: --port is from 0 to 65535") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        raise OSError(f"port {port} of {host}: {reason}; choose another one with --port or --host") from None


def _warn(host: str) -> None:
    if not _is_loopback(host):
        print(f"warning: {host}: other machines can use the server, without a password", file=sys.stderr)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

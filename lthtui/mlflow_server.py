"""MLflow's own web pages on our store: one server that only this machine reaches and that ends."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from engine.errors import StoreError, UsageError
from engine.schema import MLFLOW_ENVIRONMENT

FIRST_PORT, PORTS = 5000, 100
TOKEN = "X-Lthtui-Server"
READY_SECONDS, GRACE_SECONDS = 120.0, 4.0
_ENVIRONMENT = {
    **MLFLOW_ENVIRONMENT,
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}


def check(host: str, port: int | None) -> None:
    """Make sure that a server may and can listen there.

    Raises:
        UsageError: the host is not this machine's loopback, or the port is taken.
    """
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            _free_port(host, port)
            return
    raise UsageError(
        f"MLflow's server asks nobody for a password, so it is not opened on {host};"
        " stay on 127.0.0.1 and reach it from elsewhere by `ssh -L`"
    )


def serve(root: Path, host: str, port: int | None, announce: Callable[[str], None]) -> None:
    """Serve the store under `root`, which exists, until this process is interrupted or ended.

    Args:
        port: the first free one from 5000 if it is None.
        announce: called with the server's address once it answers.

    Raises:
        StoreError: the server does not start, or ends by itself.
        UsageError: the port is taken.
    """
    while not _serve(root, host, _free_port(host, port), announce):
        pass  # somebody else was faster


def _serve(root: Path, host: str, port: int, announce: Callable[[str], None]) -> bool:
    """As `serve`; False if somebody else took the port before the server could."""
    token = secrets.token_hex(8)  # by which its answers are known
    options = _options(root, host, port, token)
    command = [sys.executable, "-P", "-m", "mlflow", "server", *options]
    with _end_as_interrupt(), tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            answers = _await(server, host, port, token)
            if answers:
                announce(f"http://{host}:{port}")
                server.wait()
        except KeyboardInterrupt:
            return True
        finally:
            _stop(server)
        if not answers and not _is_free(host, port):
            return False
        raise StoreError(f"MLflow's server ended: {_last_line(log)}")


def _options(root: Path, host: str, port: int, token: str) -> list[str]:
    return [
        f"--backend-store-uri=sqlite:///{root.absolute() / 'mlflow.db'}",
        f"--default-artifact-root={(root.absolute() / 'artifacts').as_uri()}",
        "--no-serve-artifacts",
        f"--host={host}",
        f"--port={port}",
        "--workers=1",
        f"--uvicorn-opts=--log-level warning --header {TOKEN}:{token}",
    ]


def _free_port(host: str, wanted: int | None) -> int:
    for port in [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS):
        if _is_free(host, port):
            return port
    raise UsageError(f"port {wanted or FIRST_PORT} of {host} is taken; choose another with --port")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _await(server: subprocess.Popen[bytes], host: str, port: int, token: str) -> bool:
    """Wait until the server answers; False if it has ended instead.

    Raises:
        StoreError: it does neither for long.
    """
    deadline = time.monotonic() + READY_SECONDS
    while server.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(host, port, timeout=2.0)
            with contextlib.closing(connection):
                connection.request("GET", "/health")
                answer = connection.getresponse()
                if answer.status == 200 and answer.getheader(TOKEN) == token:
                    return True
        if time.monotonic() > deadline:
            raise StoreError(f"MLflow's server did not answer within {READY_SECONDS:.0f} s")
        time.sleep(0.2)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and everything that it started, whatever is pressed meanwhile."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    deadline = time.monotonic() + GRACE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            server.poll()
            os.killpg(server.pid, 0)
            time.sleep(0.05)
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@contextlib.contextmanager
def _end_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the server as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"

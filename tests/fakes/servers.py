"""An MLflow server on loopback, and a proxy before it that loses, spoils and delays answers."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from waiting import wait_for

from engine.tracking import ensure_store

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}


@contextlib.contextmanager
def mlflow_server(folder: Path, *options: str) -> Iterator[str]:
    """A real server with one worker, whose store and files are in `folder`; gives its address."""
    uri, port = ensure_store(folder), free_port()
    command = [sys.executable, "-P", "-m", "mlflow", "server", "--workers=1"]
    command += [f"--backend-store-uri={uri}", "--host=127.0.0.1", f"--port={port}"]
    command += options or (f"--artifacts-destination={folder / 'files'}",)
    quiet = subprocess.DEVNULL
    environment = {**os.environ, **QUIET}
    process = subprocess.Popen(
        command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        wait_for(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, "MLflow's server ended"
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False


@dataclass(frozen=True)
class Asked:
    """A request. `times` counts it and its like, this one included."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    times: int


@dataclass(frozen=True)
class Answer:
    """What the proxy says instead of the server."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


LOST = "lost"  # the server does what was asked, and nobody hears of it
GONE = "gone"  # the connection ends, and the server hears nothing


class Proxy(http.server.ThreadingHTTPServer):
    """Between a client and a server; `fault` says what to do to a request.

    It returns None (nothing), LOST, GONE, an Answer, or a function from the server's answer to one.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 50

    def __init__(self, upstream: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream.removeprefix("http://")
        self.fault: Callable[[Asked], object] = lambda asked: None
        self.seen: list[Asked] = []
        self.counts: Counter[tuple[str, str, bytes]] = Counter()
        self.address, self.upstream_address = f"http://127.0.0.1:{self.server_port}", upstream

    def handle_error(self, request, client_address) -> None:
        """A client that left early is no news."""


@contextlib.contextmanager
def proxy(upstream: str = "") -> Iterator[Proxy]:
    with Proxy(upstream) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.0"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.command, self.path, body
        self.server.counts[key] += 1
        asked = Asked(*key, dict(self.headers), self.server.counts[key])
        self.server.seen.append(asked)
        fault = self.server.fault(asked)
        if isinstance(fault, Answer):
            self._say(fault)
        elif fault != GONE:
            answer = self._ask(asked)
            if callable(fault):
                answer = fault(answer)
            if fault != LOST:
                self._say(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle

    def _ask(self, asked: Asked) -> Answer:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        with contextlib.closing(connection):
            headers = {**asked.headers, "Host": self.server.upstream}
            connection.request(asked.method, asked.path, asked.body, headers)
            found = connection.getresponse()
            kind = found.getheader("Content-Type", "application/json")
            return Answer(found.status, found.read(), (("Content-Type", kind),))

    def _say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_) -> None:
        """Say nothing."""

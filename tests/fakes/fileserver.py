"""A server of files on loopback that can be cut off, change its files, refuse, redirect and lie."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Behaviour:
    """How the server treats a file.

    Attributes:
        cuts: after so many bytes of an answer the connection ends, once for each.
        reset: whether it ends as if the server had died, or as if it were done.
        ranges: whether parts can be asked for.
        tags: whether it says which version of the file it has.
        status: what it answers instead of the file, for so many times.
        location: where it redirects to.
        length: whether it says how long the file is.
        shift: by how many bytes the part that it sends begins later than was asked.
        pause: is waited for before the bytes after the first 1,000 of an answer are sent.
    """

    cuts: list[int] = field(default_factory=list)
    reset: bool = False
    ranges: bool = True
    tags: bool = True
    status: list[int] = field(default_factory=list)
    location: str = ""
    length: bool = True
    shift: int = 0
    pause: threading.Event | None = None


class FileServer(http.server.ThreadingHTTPServer):
    """`files` and `ways` are by path; `asked` lists the paths and ranges that were asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.ways: dict[str, Behaviour] = {}
        self.asked: list[tuple[str, str]] = []
        self.encodings: set[str | None] = set()  # that clients would take
        self.sent = threading.Event()  # something of a paused file is on its way

    def put(self, path: str, content: bytes, **how: object) -> str:
        """Serve a file; its address."""
        self.files[path], self.ways[path] = content, Behaviour(**how)
        return f"{self.address}{path}"

    def handle_error(self, request, client_address) -> None:
        """A client that left early is no news."""


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    with FileServer() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        self.server.encodings.add(self.headers.get("Accept-Encoding"))
        way = self.server.ways.get(self.path, Behaviour(status=[404] * 9))
        if way.location or way.status:
            self.send_response(302 if way.location else way.status.pop(0))
            self.send_header("Location", way.location)
            self.end_headers()
            return
        content = self.server.files[self.path]
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        same = self.headers.get("If-Range", tag) == tag
        begin = int(wanted[6:-1]) + way.shift if wanted and way.ranges and same else 0
        if begin >= len(content) and begin:
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if way.tags:
            self.send_header("ETag", tag)
        if way.length:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self._send(content[begin:], way)

    def _send(self, content: bytes, way: Behaviour) -> None:
        if way.cuts:
            self.wfile.write(content[: way.cuts.pop(0)])
            self.wfile.flush()
            if way.reset:  # what was sent must have arrived: a reset throws the rest away
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            return
        if way.pause:
            self.wfile.write(content[:1000])
            self.wfile.flush()
            self.server.sent.set()
            way.pause.wait(60)
            content = content[1000:]
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Say nothing."""

"""The app in a browser: a server that only this machine reaches, and an app for each open page."""

from __future__ import annotations

import asyncio
import html
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template

from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from textual_serve.server import Server

from engine.errors import INTERRUPTED, OK

HOST, FIRST_PORT, PORTS = "127.0.0.1", 8000, 100
GRACE = 5.0  # seconds that an app has to end in
COMMAND = (sys.executable, "-P", "-m", "lthtui.served")
_PAGE = Path(__file__).parent / "styles" / "page.html"
_SCRIPT = _PAGE.with_suffix(".js")
_HEADERS = {  # nothing comes from elsewhere, and the secret in the address goes nowhere
    "Content-Security-Policy": "default-src 'self' data:; style-src 'self' 'unsafe-inline';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def listen(port: int | None) -> socket.socket:
    """A socket of this machine's loopback; the first free port from 8000 if none is given.

    Raises:
        OSError: the port, or each of these, is taken.
    """
    *others, last = [port] if port else range(FIRST_PORT, FIRST_PORT + PORTS)
    for one in others:
        with suppress(OSError):
            return _bound(one)
    return _bound(last)


def serve(listening: socket.socket, title: str, announce: Callable[[str], None]) -> None:
    """Serve the app until this process is interrupted or ended; then all its apps have ended, too.

    Every user of this machine reaches its loopback: who lacks the secret in the address gets
    nothing.

    Args:
        listening: from `listen`; it is closed.
        title: of the page.
        announce: called with the address once the server answers. What apps said is written to
            `sys.stdout` when they have ended.
    """
    asyncio.run(_serve(listening, title, announce))


async def _serve(listening: socket.socket, title: str, announce: Callable[[str], None]) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    secret = secrets.token_urlsafe(24)
    runner = web.AppRunner(Pages(title).under(secret), shutdown_timeout=2 * GRACE)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        announce(f"http://{HOST}:{listening.getsockname()[1]}/{secret}/")
        await ended.wait()
    finally:
        await runner.cleanup()


class Pages(Server):
    """The page, what it needs, and the sessions in which pages and apps speak to one another."""

    def __init__(self, title: str) -> None:
        super().__init__("", HOST, title=title)
        self._open: set[web.WebSocketResponse] = set()

    def under(self, secret: str) -> web.Application:
        """An application that answers below this path, and nowhere else."""
        site = web.Application()
        site.add_routes(
            [
                web.get(f"/{secret}/", self._page),
                web.get(f"/{secret}/{_SCRIPT.name}", self._script),
                web.get(f"/{secret}/ws", self._session, name="ws"),
                web.static(f"/{secret}/static", self.statics_path),
            ]
        )
        site.on_response_prepare.append(_guard)
        site.on_shutdown.append(self._close)
        return site

    async def _page(self, request: web.Request) -> web.Response:
        path = request.app.router["ws"].url_for()  # the port may be another one, through ssh
        page = Template(_PAGE.read_text("utf-8")).substitute(
            title=html.escape(self.title), socket=html.escape(f"ws://{request.host}{path}")
        )
        return web.Response(text=page, content_type="text/html")

    async def _script(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(_SCRIPT)

    async def _session(self, request: web.Request) -> web.WebSocketResponse:
        """Run an app for as long as its page is open, or until somebody quits it."""
        page = web.WebSocketResponse(heartbeat=15)
        await page.prepare(request)
        self._open.add(page)
        app = _App(page)
        try:
            await app.start(*(int(request.query.get(side, 80)) for side in ("width", "height")))
            await self._process_messages(page, app)
        finally:
            self._open.discard(page)
            await app.end()
        return page

    async def _close(self, site: web.Application) -> None:
        """End all sessions, for which the server would wait."""
        await asyncio.gather(*(page.close(code=WSCloseCode.GOING_AWAY) for page in self._open))


class _App(AppService):
    """A process of the app, which speaks to one page."""

    def __init__(self, page: web.WebSocketResponse) -> None:
        async def leave() -> None:
            """The page is closed once the process is gone, and it is known how it ended."""

        self._page = page
        super().__init__(
            "",
            write_bytes=page.send_bytes,
            write_str=page.send_str,
            close=leave,
            download_manager=DownloadManager(),
        )

    async def run(self) -> None:
        """Run the app to its end, and have the page tell if that was none of its own."""
        await super().run()
        assert self._process is not None and self._process.stderr is not None
        rest = await self._process.stderr.read()
        sys.stdout.write(rest.decode(errors="replace"))
        code = await self._process.wait()
        if code in (OK, INTERRUPTED):
            await self._page.close()
            return
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        sys.stdout.write(f"the app of a page failed with {how}; runs go on\n")
        message = f"The app failed with {how}; where `lthtui serve` runs, it may say why"
        await self._page.close(code=WSCloseCode.INTERNAL_ERROR, message=message.encode())

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """Start the app, without a shell; Ctrl-C in the server's terminal does not reach it."""
        self._process = process = await create_subprocess_exec(
            *COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = process.stdin
        return process

    async def end(self) -> None:
        """Have the app quit, and wait until it has."""
        if (process := self._process) is None:
            return
        try:
            async with asyncio.timeout(GRACE):
                await self.stop()
                await process.communicate()  # it may still want to say something
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def _guard(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _bound(port: int) -> socket.socket:
    found = socket.socket()
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
    except OSError:
        found.close()
        raise
    return found

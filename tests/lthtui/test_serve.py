"""`lthtui serve`: the app in pages, as browsers speak to it; and what is left when it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import aiohttp
import manyruns
import psutil
import pyte
import pytest
from browser import Browser, missing
from rundirs import FakeRun
from waiting import PATIENCE, wait_for

from lthtui import serving
from lthtui.cli import main

TEXT = "return document.querySelector('.closed').innerText"


@pytest.fixture
def server(tmp_path, monkeypatch, spawn):
    """A server of a root with a run, and the address that it tells."""
    for name in ("state", "config", "cache"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    root = tmp_path / "mlruns"
    FakeRun(root, "seen-in-pages").start().train(2).end()
    command = [sys.executable, "-P", "-m", "lthtui", "serve", "--root", str(root)]
    process = spawn(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True)
    return process, process.stdout.readline().strip()


@contextlib.asynccontextmanager
async def page(address, width=100):
    """A page's session: what it sends, and the screen that it shows."""
    screen = pyte.Screen(width, 30)
    stream = pyte.ByteStream(screen)
    async with aiohttp.ClientSession() as client:
        socket = await client.ws_connect(f"{address}ws?width={width}&height=30")

        async def until(text):
            async with asyncio.timeout(PATIENCE):
                while not any(text in line for line in screen.display):
                    stream.feed(await socket.receive_bytes())

        yield socket, until
        await socket.close()


def got(address, host=None):
    """The status and the text of an answer."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def children(process):
    return psutil.Process(process.pid).children()


async def test_pages_show_the_app_and_nothing_is_left_after_it(server):
    process, address = server
    async with page(address) as (first, until), page(address, 90) as (second, until_second):
        await until("seen-in-pages")
        await first.send_json(["resize", {"width": 60, "height": 30}])
        await first.send_json(["stdin", "2"])
        await until("nothing runs or waits")
        apps = children(process)
        assert len(apps) == 2
        await first.send_json(["stdin", "q"])
        while not first.closed:
            await first.receive(timeout=PATIENCE)
        wait_for(lambda: len(children(process)) == 1)
        await until_second("seen-in-pages")
        process.send_signal(signal.SIGINT)
        while not second.closed:
            await second.receive(timeout=PATIENCE)
        assert second.close_code == aiohttp.WSCloseCode.GOING_AWAY
    assert process.wait(PATIENCE) == 0 and process.stdout.read() == ""
    assert not any(app.is_running() for app in apps)


@pytest.mark.fault
async def test_pages_show_a_store_that_is_browsed(tmp_path, template, spawn, monkeypatch):
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    manyruns.store(template, tmp_path / "theirs", 5)
    folder = str(tmp_path / "theirs")
    command = [sys.executable, "-P", "-m", "lthtui", "serve", "--tracking-uri", folder]
    with spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        address = process.stdout.readline().decode().strip()
        assert f"The app shows {folder}/mlflow.db at" in process.stderr.readline().decode()
        async with page(address) as (_, until):
            await until("theirs/mlflow.db")
            await until("1 group, 5 runs")
        process.terminate()


async def test_a_page_says_that_its_app_failed(server):
    process, address = server
    async with page(address) as (socket, until):
        await until("seen-in-pages")
        (app,) = children(process)
        app.kill()
        while (got := await socket.receive(timeout=PATIENCE)).type != aiohttp.WSMsgType.CLOSE:
            pass
        assert got.data == aiohttp.WSCloseCode.INTERNAL_ERROR
        assert (
            got.extra == "The app failed with signal 9; where `lthtui serve` runs, it may say why"
        )


async def test_no_app_outlives_a_server_that_was_killed(server):
    process, address = server
    async with page(address) as (_, until):
        await until("seen-in-pages")
        (app,) = children(process)
        process.kill()
        app.wait(PATIENCE)


@pytest.mark.skipif(bool(missing()), reason=f"needs {' and '.join(missing())}")
def test_keys_reach_the_app_without_a_click(server, tmp_path):
    browser = Browser(tmp_path / "chromium")
    try:
        browser.open(server[1])
        browser.wait("return document.body.classList.contains('-first-byte')")
        browser.press("q")
        browser.wait("return document.body.classList.contains('-closed')")
        assert "This session has ended; runs go on." in browser.run(TEXT)
        browser.open(server[1])
        browser.wait("return document.body.classList.contains('-first-byte')")
        for app in children(server[0]):
            app.kill()
        browser.wait("return document.body.classList.contains('-closed')")
        assert "The app failed with signal 9" in browser.run(TEXT)
    finally:
        browser.close()


def test_only_who_has_the_secret_gets_anything(server):
    _, address = server
    base = address.rsplit("/", 2)[0]
    for path in ("/", "/ws", "/static/js/textual.js", "/x/", f"{address[len(base) : -2]}/"):
        assert got(base + path) == (404, ""), path
    status, text = got(address, "localhost:9000")  # as through `ssh -L 9000:...`
    assert status == 200 and f'"ws://localhost:9000{address.removeprefix(base)}ws"' in text
    for name in ("css/xterm.css", "js/textual.js", "fonts/RobotoMono-VariableFont_wght.ttf"):
        assert f'"static/{name}"' in text and got(f"{address}static/{name}")[0] == 200
    assert text.replace("ws://localhost:9000", "").count("://") == 0  # nothing from elsewhere


def test_ports_that_are_taken(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
        said = capsys.readouterr().err
        assert f"port {port} of 127.0.0.1: Address already in use" in said and "--port" in said
        monkeypatch.setattr(serving, "FIRST_PORT", port)
        with serving.listen(None) as found:
            assert found.getsockname()[1] > port


def test_without_textual_serve_it_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr("lthtui.commands.serve.find_spec", lambda name: None)
    assert main(["serve"]) == 2
    assert "pip install 'lthtui[serve]'" in capsys.readouterr().err

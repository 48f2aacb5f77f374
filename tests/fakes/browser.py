"""Headless Chromium, driven through chromedriver's own HTTP protocol (W3C WebDriver)."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from waiting import PATIENCE

NEEDED = ("chromium", "chromedriver")


def missing() -> list[str]:
    return [name for name in NEEDED if shutil.which(name) is None]


class Refused(Exception):
    """What the browser could not do, such as click on what another element covers just now."""


class Browser:
    """One window. `folder` takes what Chromium writes."""

    def __init__(self, folder: Path) -> None:
        # Its own session: whatever it starts can be ended with it.
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            self._begin(folder)
        except BaseException:
            self._end()
            raise

    def _begin(self, folder: Path) -> None:
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.base = "http://127.0.0.1:" + line.rpartition("on port ")[2].strip(". \n")
                break
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000"]
        options += [f"--user-data-dir={folder}", "--disable-dev-shm-usage"]
        chrome = {"binary": shutil.which("chromium"), "args": options}
        session = self.call(
            "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": chrome}}}
        )
        self.base += f"/session/{session['sessionId']}"

    def call(self, path: str, body: dict | None = None, method: str | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.read().decode()) from None

    def open(self, url: str) -> None:
        self.call("/url", {"url": "about:blank"})
        self.call("/url", {"url": url})

    def run(self, script: str):
        """The value that a piece of JavaScript returns in the page."""
        return self.call("/execute/sync", {"script": script, "args": []})

    def text(self) -> str:
        return self.run("return document.body.innerText")

    def wait(self, script: str):
        """The first true value that a script returns; a page may be on its way out meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(Refused):
                if value := self.run(script):
                    return value
            assert time.monotonic() < deadline, f"never true: {script}\n{self.text()}"
            time.sleep(0.2)

    def wait_text(self, words: str) -> None:
        self.wait(f"return document.body.innerText.includes({json.dumps(words)})")

    def click(self, words: str) -> None:
        """Click, as a mouse does, on the first element that can be and shows exactly this text."""
        same = f"normalize-space()={json.dumps(words)}"
        innermost = {"using": "xpath", "value": f"//*[{same} and not(.//*[{same}])]"}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for element in self.call("/elements", innermost):
                with contextlib.suppress(Refused):
                    self.call(f"/element/{next(iter(element.values()))}/click", {})
                    return
            time.sleep(0.2)
        raise AssertionError(f"nothing to click on says {words}:\n{self.text()}")

    def press(self, key: str) -> None:
        """Press a key, whatever has the focus."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.call("/screenshot")))

    def close(self) -> None:
        try:
            self.call("", method="DELETE")
        finally:
            self._end()

    def _end(self) -> None:
        with self.driver:
            self.driver.kill()

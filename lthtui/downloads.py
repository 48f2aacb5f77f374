"""Downloads a file over HTTP, going on where an earlier try, or an earlier process, was cut off."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import LthError
from lthtui.planning import size as sized
from lthtui.text import clean_line

if TYPE_CHECKING:
    import requests

TRIES = 4  # in a row that bring nothing
PATIENCE = (20.0, 60.0)  # seconds for a connection, and between two parts of a file
PART = 64 * 1024
AGAIN = (408, 425, 429)  # and 500 to 599: what may pass
Tell = Callable[[int, int | None], None]


class DownloadError(LthError):
    """A file cannot be had from its server, or is another one than was published."""


class _Cut(Exception):
    """The transfer ended early; the same may well succeed now."""


def download(
    url: str,
    part: Path,
    size: int | None,
    limit: int,
    tell: Tell,
    say: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a file into `part`; what is there already of the same file is not fetched again.

    The server's word for the file's version is kept beside it, as `<part>.version`. If the server
    has another version by now, the file begins anew.

    Args:
        size: bytes that it should have, if that is known.
        limit: bytes that are taken at most.
        tell: called with the bytes that are there, and all there will be, if that is known.
        say: told why there is another try.
        wait: called with seconds between tries.

    Raises:
        DownloadError: there is no such file, it has another size, or the server gives up.
        OSError: the disk is full, or nothing may be written there.
    """
    fruitless = 0
    while _length(part) != size or size is None:
        before = _length(part)
        try:
            return _fetch(url, part, size, limit, tell)
        except _Cut as cut:
            fruitless = 0 if _length(part) > before else fruitless + 1
            if fruitless >= TRIES:
                raise DownloadError(
                    f"{url}: {cut}; {sized(_length(part))} are kept in {part}, and the same command"
                    " goes on from there"
                ) from None
            later = 2.0**fruitless
            say(f"{url}: {cut}; trying again in {later:.0f} s")
        wait(later)


def _fetch(url: str, part: Path, size: int | None, limit: int, tell: Tell) -> None:
    """One request."""
    import requests
    from urllib3.exceptions import HTTPError

    have = _length(part)
    if have > limit:
        _forget(part)
        have = 0
    try:
        with requests.get(url, headers=_asked(part, have), stream=True, timeout=PATIENCE) as answer:
            begin = _begin(answer, url, have)
            if begin is None:
                _forget(part)
                raise _Cut("the server has another version of it")
            whole = _whole(answer, begin)
            if size is not None and whole not in (None, size):
                raise DownloadError(
                    f"{url} has {whole:,} bytes, and {size:,} are published: it is another file"
                )
            if not begin:
                _forget(part)
                _version_file(part).write_text(_version(answer))
            _receive(answer, url, part, whole or size, limit, tell)
    except (requests.TooManyRedirects, requests.exceptions.InvalidURL) as error:
        raise DownloadError(f"{url}: {_line(error)}") from None
    except (requests.RequestException, HTTPError) as error:
        raise _Cut(_line(error)) from None
    except OSError as error:  # a full disk does not say which
        raise OSError(error.errno, error.strerror, error.filename or str(part)) from None


def _asked(part: Path, have: int) -> dict[str, str]:
    """The headers: the bytes as they are, from where we are, if it is the same file still."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "lthtui"}
    if not have:
        return headers
    version = _version_file(part)
    known = version.read_text() if version.exists() else ""
    return {**headers, "Range": f"bytes={have}-", **({"If-Range": known} if known else {})}


def _begin(answer: requests.Response, url: str, have: int) -> int | None:
    """The byte that an answer begins with; None where we have what the server has not."""
    status = answer.status_code
    if status == 200:
        return 0
    if status == 206:
        begin = answer.headers.get("Content-Range", "").partition("-")[0].removeprefix("bytes ")
        return have if begin == str(have) else None
    if status == 416 and have:
        return None
    why = clean_line(f"{status} {answer.reason or ''}".strip(), 100)
    if status in AGAIN or status >= 500:
        raise _Cut(f"the server answers {why}")
    raise DownloadError(f"{url}: the server answers {why}; is the address still right?")


def _whole(answer: requests.Response, begin: int) -> int | None:
    """Bytes of the whole file, as far as the server says."""
    told = answer.headers.get("Content-Length", "")
    return begin + int(told) if told.isdecimal() else None


def _receive(
    answer: requests.Response, url: str, part: Path, whole: int | None, limit: int, tell: Tell
) -> None:
    """Append what comes."""
    answer.raw.enforce_content_length = False  # a file that ends early is told of below
    with part.open("ab") as file:
        have = file.tell()
        tell(have, whole)
        for block in answer.raw.stream(PART, decode_content=False):
            have += len(block)
            if have > limit:
                raise DownloadError(f"{url} has more than the {limit:,} bytes it should have")
            file.write(block)
            tell(have, whole)
    if whole is not None and have < whole:
        raise _Cut(f"it ended after {have:,} of {whole:,} bytes")


def _version(answer: requests.Response) -> str:
    """What tells this version of a file from others; empty if the server does not say.

    A weak tag does not say that the bytes are the same (RFC 9110, 13.1.5).
    """
    tag = str(answer.headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(answer.headers.get("Last-Modified", ""))


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _line(error: Any) -> str:
    """What lies at the bottom of an error of requests or urllib3, in a line."""
    at: BaseException = error
    for _ in range(8):
        deeper = [getattr(at, "reason", None), *at.args]
        below = next((one for one in deeper if isinstance(one, BaseException)), None)
        if below is None:
            break
        at = below
    said = getattr(at, "strerror", None) or str(at)
    return clean_line(str(said), 200) or type(at).__name__

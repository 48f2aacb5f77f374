"""How we talk to MLflow servers: one try a request, no redirects, bounded answers, plain errors.

MLflow's client sends a request again by itself when its answer is late, which makes a second run if
the first did arrive; it follows redirects, and reads answers of any size. `guard` stops that for
the servers that we were told of. Whoever asks looks first, then tries again: see `engine.mlrun`.
"""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.errors import HungUp, StoreAway, StoreDenied, StoreError

if TYPE_CHECKING:
    import requests

ANSWER_BYTES, ANSWER_SECONDS = 2**28, 300.0
PATIENCE = 20.0  # seconds for a connection, and between two parts of an answer
LONGEST_LATER = 3600.0  # seconds that a server may ask us to stay away
_PREFIX = "MLFLOW_TRACKING_"
TOKEN, USERNAME, PASSWORD = (f"{_PREFIX}{name}" for name in ("TOKEN", "USERNAME", "PASSWORD"))
_FILES, _SEARCH = "/mlflow-artifacts/", "/search"
_DENIED = (401, 403, 407)
_AWAY = (404, 408, 425, 429)  # and 500 to 599; a missing run is a 404 in JSON, which passes
_known: set[tuple[str | None, int | None]] = set()


def guard(address: str) -> None:
    """From now on, have this process talk to this server, and its like, only as said above."""
    from requests.adapters import HTTPAdapter  # public, and below all of MLflow's own calls

    _known.add(_place(address))
    if not hasattr(HTTPAdapter.send, "unguarded"):
        setattr(HTTPAdapter, "send", _guarded(HTTPAdapter.send))  # noqa: B010 as mypy wants it


def greet(address: str, patience: float) -> None:
    """Ask a server for next to nothing, with our credentials, to see whether it answers us.

    Args:
        patience: seconds to wait for a connection, and between two parts of the answer.

    Raises:
        StoreDenied: it refuses our credentials, or asks for some.
        StoreAway: it does not answer as MLflow does.
    """
    with _got(address, "/api/2.0/mlflow/experiments/search", {"max_results": 1}, patience):
        pass


def ask(
    address: str, path: str, asked: Mapping[str, Any], session: requests.Session | None = None
) -> dict[str, Any]:
    """The JSON object that a server answers; searches are sent as JSON.

    Args:
        session: whose connection is used again.

    Raises:
        HungUp: it ended the connection instead of answering, which a used one may be told late.
        StoreError: it is out of reach, refuses, or answers something else.
    """
    with _got(address, path, asked, PATIENCE, session=session) as answer:
        try:
            said = answer.json()
        except (ValueError, RecursionError):
            said = None
        if not answer.ok:
            raise StoreError(f"{address} answers {answer.status_code}{_said(answer)}")
        if not isinstance(said, dict):
            raise StoreError(f"{address} answers something that is not MLflow's")
        return said


def parts(address: str, path: str, asked: Mapping[str, str]) -> Iterator[bytes]:
    """The parts of a file that a server sends, which may be of any size.

    Raises:
        StoreError: as `ask`.
    """
    with _got(address, path, asked, PATIENCE, stream=True) as answer:
        if not answer.ok:
            raise StoreError(f"{address} answers {answer.status_code}{_said(answer)}")
        with _explained(address):
            yield from answer.iter_content(65_536)


@contextlib.contextmanager
def _got(
    address: str,
    path: str,
    asked: Mapping[str, Any],
    patience: float,
    stream: bool = False,
    session: requests.Session | None = None,
) -> Iterator[requests.Response]:
    """What a server answers to a request with our credentials."""
    import requests

    guard(address)
    post = path.endswith(_SEARCH)
    insecure = os.environ.get(f"{_PREFIX}INSECURE_TLS", "").lower() in ("true", "1")
    with (session or requests).request(
        "POST" if post else "GET",
        f"{address.rstrip('/')}{path}",
        params=None if post else asked,
        json=asked if post else None,
        auth=_sign,
        timeout=patience,
        stream=stream,
        verify=os.environ.get(f"{_PREFIX}SERVER_CERT_PATH") or not insecure,
    ) as answer:
        yield answer


def _sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """As MLflow's client does; nothing is taken from a file."""
    from requests.auth import HTTPBasicAuth

    token, user, password = (os.environ.get(name, "") for name in (TOKEN, USERNAME, PASSWORD))
    if user and password:
        return HTTPBasicAuth(user, password)(request)
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    return request


def reason(error: BaseException) -> StoreError | None:
    """What the guard had to say of a request, which MLflow's client wraps in errors of its own."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, StoreError):
        at = at.__cause__ or at.__context__
    return at


def scrub(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Take our credentials out of what a server said."""
    for secret in _secrets(os.environ if environment is None else environment):
        text = text.replace(secret, "***")
    return text


def line(text: str, limit: int = 200) -> str:
    """The first line of what comes from outside, short and without control characters."""
    first = next(iter(text.strip().splitlines()), "")[:limit]
    return "".join(c if c.isprintable() else "?" for c in first)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """What must reach no other host and no log: the credentials as set, and as they are sent."""
    token, user, password = (environment.get(name, "") for name in (TOKEN, USERNAME, PASSWORD))
    if user and password:
        yield base64.standard_b64encode(f"{user}:{password}".encode()).decode()
    yield from (secret for secret in (token, password) if secret)


def _place(address: str) -> tuple[str | None, int | None]:
    """Host and port of an address, however it is written."""
    parts = urlsplit(address)
    return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _guarded(send: Any) -> Any:
    """`HTTPAdapter.send` with our rules around it."""

    def guarded(adapter: Any, request: Any, stream: bool = False, **options: Any) -> Any:
        from urllib3 import Retry

        parts = urlsplit(request.url)
        if _place(request.url) not in _known:  # such as an object store that the server names
            _keep_secrets(parts.netloc, request.headers)
            return send(adapter, request, stream=stream, **options)
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        adapter.max_retries = Retry(0, read=False)
        deadline = time.monotonic() + ANSWER_SECONDS
        with _explained(server):
            answer = send(adapter, request, stream=True, **options)
            if not (stream and answer.ok):
                _read(answer, server, deadline)
            _judge(answer, server, parts.path)
        return answer

    guarded.unguarded = send  # type: ignore[attr-defined]
    return guarded


def _keep_secrets(host: str, headers: Mapping[str, str]) -> None:
    sent = " ".join(str(value) for value in headers.values())
    if any(secret in sent for secret in _secrets(os.environ)):
        raise StoreError(
            f"the MLflow server sends us to {host}, which your credentials are not for; they were"
            " not sent"
        )


def _read(answer: Any, server: str, deadline: float) -> None:
    """Read an answer's body, if it is of a reasonable size and comes in a reasonable time."""
    parts, size = [], 0
    for part in answer.iter_content(65_536):
        size += len(part)
        if size > ANSWER_BYTES:
            answer.close()
            raise StoreAway(f"{server} answers with more than {ANSWER_BYTES >> 20} MiB")
        if time.monotonic() > deadline:
            answer.close()
            raise StoreAway(f"{server} took more than {ANSWER_SECONDS:.0f} s for an answer")
        parts.append(part)
    answer._content, answer._content_consumed = b"".join(parts), True


def _judge(answer: Any, server: str, path: str) -> None:
    """Raise what an answer means for us unless it is MLflow's own to one request."""
    status, body = answer.status_code, b"" if answer._content is False else answer.content
    ours = body.lstrip()[:1] == b"{" or (not body and _FILES in path)
    if 300 <= status < 400:
        to = urlsplit(answer.headers.get("Location", ""))
        where = f"{to.scheme}://{to.netloc.rpartition('@')[2]}" if to.netloc else "elsewhere"
        raise StoreAway(
            f"{server} redirects to {scrub(line(where))}; a login page or a moved server: write"
            " the address of MLflow itself as `tracking`"
        )
    if status in _DENIED:
        raise StoreDenied(
            f"{server} refuses access ({status}{_said(answer)}); set {USERNAME} and {PASSWORD},"
            f" or {TOKEN}, where you start lthtui"
        )
    if status >= 500 or (status in _AWAY and not (status == 404 and ours)):
        raise StoreAway(f"{server} answers {status}{_said(answer)}", _later(answer))
    if answer.ok and "/api/" in path and answer._content is not False and not ours:
        raise StoreAway(f"{server} answers something that is not MLflow's")


def _said(answer: Any) -> str:
    """The message in an answer's JSON, or the name of its status."""
    try:
        text = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = str(answer.reason or "")
    return f": {said}" if (said := scrub(line(text))) else ""


def _later(answer: Any) -> float:
    """Seconds of a Retry-After header, which holds a number or a date."""
    from email.utils import parsedate_to_datetime  # here, as the app's first table asks no server

    said = answer.headers.get("Retry-After", "").strip()
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        if said.isdecimal():
            return min(float(said), LONGEST_LATER)
        left = parsedate_to_datetime(said).timestamp() - time.time()
        return min(max(left, 0.0), LONGEST_LATER)
    return 0.0


@contextlib.contextmanager
def _explained(server: str) -> Iterator[None]:
    """Say what went wrong on the way to a server and back."""
    from requests import exceptions as failures

    try:
        yield
    except failures.SSLError as error:
        raise StoreAway(
            f"{server}: no secure connection ({_root(error)}); MLFLOW_TRACKING_SERVER_CERT_PATH"
            " names a file with its certificates"
        ) from None
    except failures.Timeout:
        raise StoreAway(f"{server} did not answer in time; see whether it is up") from None
    except failures.RequestException as error:
        ended = isinstance(_bottom(error), ConnectionResetError | BrokenPipeError)
        kind = HungUp if ended else StoreAway
        raise kind(f"{server} is out of reach: {_root(error)}") from None


def _bottom(error: BaseException) -> BaseException:
    """What lies at the bottom of the errors that requests and urllib3 wrap around one another."""
    at = error
    for _ in range(8):
        inner = getattr(at, "reason", None)
        deeper = inner if isinstance(inner, BaseException) else at.__cause__ or at.__context__
        if deeper is None:
            deeper = next((part for part in at.args if isinstance(part, BaseException)), None)
        if deeper is None:
            break
        at = deeper
    return at


def _root(error: BaseException) -> str:
    """What the error at the bottom says."""
    at = _bottom(error)
    text = getattr(at, "strerror", None) or getattr(at, "verify_message", None) or str(at)
    return line(str(text)) or type(at).__name__

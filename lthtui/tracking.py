"""Which MLflow store is browsed instead of the root's own: where it is said, checked and named."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import UsageError
from lthtui.here import here
from lthtui.text import clean, clean_line

VARIABLE = "LTHTUI_TRACKING_URI"
_SERVERS, _FILE = ("http://", "https://"), "sqlite:///"
_SECRETS = (
    "leave out what stands before the @, as addresses are shown and logged:"
    " MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN, in the environment let lthtui in"
)


def browsed(root: Path, given: str | None = None) -> str | None:
    """The address of the store that is to be browsed; None for the root's own.

    The first of `given` and `LTHTUI_TRACKING_URI`: a server, `sqlite:///FILE`, the file itself, or
    the folder that it is in. Credentials are MLflow's, and come from the environment alone.

    Raises:
        UsageError: there is no store there, or none that can be read; what may be a password is
            not repeated.
    """
    text = (os.environ.get(VARIABLE, "") if given is None else given).strip()
    if not text:
        return None
    if text.startswith(_SERVERS):
        return _server(text)
    if "://" in text and not text.startswith(_FILE):
        kind = clean_line(text.partition(":")[0])
        raise UsageError(
            f"a store at {kind}:// is read through a server: `mlflow server --backend-store-uri`"
            " starts one; give its http:// address"
        )
    from engine.storefile import STORE  # not before the first frame, as nearly nobody asks

    file = _file(Path(text.removeprefix(_FILE)).expanduser().absolute(), STORE)
    own = root.absolute() / STORE
    return None if own.exists() and file.samefile(own) else f"{_FILE}{file}"


def listed(root: Path, given: str | None = None) -> str | None:
    """The address of the store whose runs are listed; None where that is done by their folders.

    That is the one that is `browsed`, or the root's own where only that knows any runs.

    Raises:
        UsageError: as `browsed`.
        StoreAway: the root's own cannot be read.
    """
    from lthtui import runnames
    from lthtui.store import Store

    if address := browsed(root, given):
        return address
    store = None if runnames.ids(root) else Store(root)
    return store.uri if store and store.ids() else None


def called(address: str) -> str:
    """What a store is called in one line: a server's host and path, or a file's path."""
    if address.startswith(_SERVERS):
        parts = urlsplit(address)
        return clean_line(parts.netloc + parts.path)
    return clean_line(address.removeprefix(_FILE))


def _server(address: str) -> str:
    if "@" in address:
        raise UsageError(f"the address holds a user or a password; {_SECRETS}")
    if "?" in address or "#" in address:
        raise UsageError("give a server's address without what follows ? or #")
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # such as a port out of range
        raise UsageError(f"{clean_line(address)} is no address: {error}") from None
    if not usable:
        raise UsageError(f"{clean_line(address)} is no address: it has no host, or port 0")
    return address.rstrip("/")


def _file(path: Path, usual: str) -> Path:
    """The store's file, from itself or its folder, where it is called as `usual`."""
    shown = clean_line(str(path), 1000)
    if path.is_dir():
        if not (path / usual).exists() and any(path.glob("*/meta.yaml")):
            raise UsageError(
                f"{shown} holds MLflow's old files, which no MLflow of today serves; `mlflow"
                " migrate-filestore` makes a store of them"
            )
        path = path / usual
    if not path.is_file():
        raise UsageError(
            f"there is no MLflow store at {shown}; give a server's http:// address, a file or the"
            f" folder of {usual}"
        )
    return path


def shown(root: Path, store: str | None) -> str:
    """What a store that is shown is called in short: the root's, or the one that is browsed."""
    found = called(store) if store else str(root)
    return clean(_near(Path(found)) if found.startswith("/") else found)


def _near(path: Path) -> str:
    """A path from the current folder or from home, if it is in there."""
    for base, sign in ((here(), ""), (Path.home(), "~/")):
        if base and path.is_relative_to(base) and path != base:
            return sign + str(path.relative_to(base))
    return str(path)

"""All messages between widgets, screens and the app.

Requests bubble up to the app, which has somebody work on them in a thread; reports come back to the
screen that shows them. A report of a newer state replaces an older one that nobody has read yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message
from textual.screen import Screen

if TYPE_CHECKING:
    from lthtui.board import Board
    from lthtui.desk import Checked
    from lthtui.logtail import Chunk


class _Newest(Message):
    """A report of a state: only the newest counts."""

    def can_replace(self, message: Message) -> bool:
        """Whether this message makes an unread one superfluous."""
        return isinstance(message, type(self))


# ---- from widgets to their screen


class Highlighted(Message):
    """The cursor of a table is on another row; None when there are no rows."""

    def __init__(self, key: str | None) -> None:
        super().__init__()
        self.key = key


class Opened(Message):
    """A row was opened by enter or a double click."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class Folded(Message):
    """A row's children are to be shown, hidden, or the other of the two (None)."""

    def __init__(self, key: str, unfold: bool | None) -> None:
        super().__init__()
        self.key, self.unfold = key, unfold


# ---- requests to the app


class _Question(Message):
    """A request whose answer goes to the screen that asks."""

    def __init__(self, asker: Screen[Any]) -> None:
        super().__init__()
        self.asker = asker


class LogWanted(_Question):
    """From now on the log of this run is to be followed; None for no run's."""

    def __init__(self, asker: Screen[Any], run_id: str | None) -> None:
        super().__init__(asker)
        self.run_id = run_id


class StopWanted(Message):
    """These runs are to be stopped; the user has said so twice."""

    def __init__(self, run_ids: list[str]) -> None:
        super().__init__()
        self.run_ids = run_ids


class ResumeWanted(Message):
    """These runs are to go on from where they stopped."""

    def __init__(self, run_ids: list[str]) -> None:
        super().__init__()
        self.run_ids = run_ids


class SpecTextWanted(_Question):
    """The spec of this run is to be read."""

    def __init__(self, asker: Screen[Any], run_id: str) -> None:
        super().__init__(asker)
        self.run_id = run_id


class CopyWanted(Message):
    """A text is to be put into the clipboard."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class SpecsWanted(_Question):
    """Somebody wants to know which spec files there are."""


class CheckWanted(_Question):
    """A spec is to be read and planned."""

    def __init__(self, asker: Screen[Any], path: str) -> None:
        super().__init__(asker)
        self.path = path


class SubmitWanted(Message):
    """All runs of a spec are to be queued."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


# ---- reports from the threads


class RunsChanged(_Newest, bubble=False):
    """Something about the runs is different from the last report."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board


class LogGrew(Message, bubble=False):
    """A run's log has more to show, or is shown from its beginning."""

    def __init__(self, run_id: str, chunk: Chunk) -> None:
        super().__init__()
        self.run_id, self.chunk = run_id, chunk


class SpecText(Message, bubble=False):
    """The spec of a run, as it is in its folder."""

    def __init__(self, run_id: str, text: str) -> None:
        super().__init__()
        self.run_id, self.text = run_id, text


class SpecsListed(Message, bubble=False):
    """The spec files that there are."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__()
        self.paths = paths


class SpecChecked(_Newest, bubble=False):
    """What a spec would do, or what is wrong with it."""

    def __init__(self, path: str, checked: Checked) -> None:
        super().__init__()
        self.path, self.checked = path, checked


class Done(Message, bubble=False):
    """An action ended well; the text says what it did."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

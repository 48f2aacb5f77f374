"""All messages between widgets, screens and the app.

Requests bubble up to the app, which has somebody work on them in a thread; reports come back to the
screen that shows them. A report of a newer state replaces an older one that nobody has read yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from textual.message import Message
from textual.screen import Screen

if TYPE_CHECKING:
    from engine.sources import Level
    from lthtui.board import Board
    from lthtui.desk import Desk
    from lthtui.logtail import Chunk

_Asked = TypeVar("_Asked")


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


class Marked(Message):
    """These rows of a table are to be marked, and no others."""

    def __init__(self, keys: frozenset[str]) -> None:
        super().__init__()
        self.keys = keys


class Filtered(Message):
    """The line of a filter says something else; `typing` while more may come."""

    def __init__(self, typing: bool) -> None:
        super().__init__()
        self.typing = typing


class HeadClicked(Message):
    """The head of a table's column was clicked; `more` if what was clicked before still counts."""

    def __init__(self, column: int, more: bool) -> None:
        super().__init__()
        self.column, self.more = column, more


# ---- requests to the app


class LogWanted(Message):
    """From now on the log of this run is to be followed for who asks; None for no run's."""

    def __init__(self, asker: Screen[Any], run_id: str | None) -> None:
        super().__init__()
        self.asker, self.run_id = asker, run_id


class Act(Message):
    """The desk is to do something; it says what became of it.

    Args:
        lasting: it may take long, and others need not wait for it; else they are done in order.
        then: is called once it ended, well or not, to show what boards don't tell.
    """

    def __init__(
        self,
        action: Callable[[Desk], str],
        lasting: bool = False,
        then: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self.action, self.lasting, self.then = action, lasting, then


class Ask(Message):
    """The desk is asked something; whoever asks gets an `Answer`.

    Args:
        about: of two questions about the same, only the newer is answered.
        patient: this question may be left out while an older one about the same is worked on.
        failed: is called instead of `reply` with what went wrong, which the app tells as well.
        leads: the answer opens what the next keys are meant for, so they wait for it.
    """

    def __init__(
        self,
        asker: Screen[Any],
        about: str,
        question: Callable[[Desk], _Asked],
        reply: Callable[[_Asked], object],
        patient: bool = False,
        failed: Callable[[str], object] | None = None,
        leads: bool = False,
    ) -> None:
        super().__init__()
        self.asker, self.about, self.question = asker, about, question
        self.reply, self.patient, self.failed, self.leads = reply, patient, failed, leads


class RunWanted(Message):
    """A run, or a group, is to be opened on a screen of its own."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class CompareWanted(Message):
    """Groups are to be compared; their keys, as `marks.whole` gives them."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__()
        self.keys = keys


class CloneWanted(Message):
    """A spec like that of these runs is to be begun.

    Args:
        level: it goes on from the ticket of this level, or of what each picked, `best`.
    """

    def __init__(self, run_ids: Sequence[str], level: Level | None = None) -> None:
        super().__init__()
        self.run_ids, self.level = run_ids, level


class SpecWanted(Message):
    """The spec of a file is to be shown."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class CopyWanted(Message):
    """A text is to be put into the clipboard."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


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


class Answer(Message, bubble=False):
    """What the desk answered, and who takes it."""

    def __init__(self, reply: Callable[[Any], object], value: object) -> None:
        super().__init__()
        self.reply, self.value = reply, value


class Done(Message, bubble=False):
    """An action ended; the text says what it did if all went well, `then` is as in `Act`."""

    def __init__(self, text: str, then: Callable[[], object] | None = None) -> None:
        super().__init__()
        self.text, self.then = text, then

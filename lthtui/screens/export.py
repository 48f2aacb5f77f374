"""Asks for the name of a file to write, and once more where one would be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static
from textual.widgets.input import Selection

from engine.errors import UsageError
from lthtui import placing
from lthtui.here import here
from lthtui.messages import Act, Ask
from lthtui.screens.confirm import ConfirmScreen
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.desk import Desk

Write = Callable[["Desk", Path, bool], str]  # is told whether to overwrite; returns what to say


class ExportScreen(ModalScreen[Path]):
    """Returns a file of one of the endings; None for none.

    Args:
        forms: by endings, with spaces between them, what such a file has; empty if any will do.
    """

    BINDINGS = [Binding("escape", "dismiss", "Write nothing", id="export.cancel")]

    def __init__(self, question: str, proposed: str, forms: Mapping[str, str]) -> None:
        super().__init__()
        self._question, self._proposed, self._forms = question, proposed, forms

    def compose(self) -> ComposeResult:
        """A line for the name, and what the endings mean."""
        base = here()
        hint = [f"{endings}   {what}" for endings, what in self._forms.items()]
        hint.append("A file or a folder" + (f", from {clean_line(str(base))}" if base else ""))
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield Input(self._proposed, id="file", compact=True, select_on_focus=False)
            yield Static("\n".join(hint), id="detail", markup=False)

    def on_mount(self) -> None:
        """Have the name typed over, but for its ending."""
        line = self.query_one(Input)
        line.focus()
        line.selection = Selection(0, len(Path(self._proposed).stem))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the name, or say what is wrong with it."""
        try:
            self.dismiss(self._meant(event.value.strip()))
        except (UsageError, OSError) as error:
            self.query_one("#detail", Static).update(clean_line(str(error), 500))

    def _meant(self, text: str) -> Path:
        """The file of this name, or in this folder."""
        if not text:
            raise UsageError("give it a name; escape writes nothing")
        file, endings = Path(text), " ".join(self._forms).split()
        if placing.whole(file).is_dir():
            file /= self._proposed
        if Path(file.stem).suffix in endings and file.suffix == Path(self._proposed).suffix:
            file = file.with_name(file.stem)  # an ending was typed before the one that was there
        placing.check(file, endings)
        return file


def export(
    screen: Screen[Any],
    question: str,
    proposed: str,
    write: Write,
    forms: Mapping[str, str],
    beside: Iterable[str] = (),
) -> None:
    """Ask for a file, and have the desk write it; where there is one, only if that may be lost.

    Args:
        forms: see `ExportScreen`.
        beside: endings of files of the same name that are written with it.
    """

    def act(file: Path, overwrite: bool) -> None:
        screen.post_message(Act(lambda desk: write(desk, file, overwrite), lasting=True))

    def named(file: Path | None) -> None:
        if file is not None:
            screen.post_message(
                Ask(
                    screen,
                    "export",
                    lambda _: placing.in_the_way(file, beside),
                    lambda there: found(file, there),
                )
            )

    def found(file: Path, there: Sequence[Path]) -> None:
        if not there:
            act(file, overwrite=False)  # what appears from now on is kept
            return

        def answered(yes: bool | None) -> None:
            if yes:
                act(file, overwrite=True)

        names = " and ".join(clean_line(str(one)) for one in there)
        asked = ConfirmScreen(f"Overwrite {names}?", "What is in there is lost.", "Overwrite")
        screen.app.push_screen(asked, answered)

    screen.app.push_screen(ExportScreen(question, proposed, forms), named)

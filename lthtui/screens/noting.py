"""Notes, tags, names, archive and trash of runs, changed from any screen about runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported
from textual.binding import Binding

from engine.errors import UsageError
from lthtui.messages import Act, Ask
from lthtui.screens.base import RunsScreen
from lthtui.screens.confirm import ConfirmScreen, listed
from lthtui.screens.lending import lent
from lthtui.text import clean

if TYPE_CHECKING:
    from lthtui.runview import RunView

    Runs = tuple[RunView, ...]


class NotingScreen(RunsScreen):
    """A screen about runs that has the desk change what people noted of them."""

    BINDINGS = [
        Binding("N", "note", "Note", show=False, id="run.note"),
        Binding("number_sign", "tags", "Tags", show=False, id="run.tags"),
        Binding("f2", "rename", "Rename", show=False, id="run.rename"),
        Binding("A", "archive", "Archive, or list again", show=False, id="run.archive"),
        Binding("delete", "throw", "Into the trash", show=False, id="run.throw"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the keys of actions that no run can take as disabled."""
        if action in ("note", "tags", "rename", "archive", "throw"):
            return True if self.meant() else None
        return super().check_action(action, parameters)

    def action_note(self) -> None:
        """Have the note of runs written; where theirs differ, a paragraph to be added to each."""
        runs = self.meant()
        if not all(run.directory for run in runs):
            self.notify("asking MLflow for the note", timeout=2)  # a server may take seconds
        self.post_message(
            Ask(
                self,
                "notes",
                lambda desk: desk.notes.notes(runs),
                partial(self._write, runs),
                leads=True,
            )
        )

    def action_tags(self) -> None:
        """Open the tags of runs."""
        from lthtui.screens.tags import TagsScreen

        opened = TagsScreen([run.run_id for run in self.meant()])
        opened.board = self.board
        self.app.push_screen(opened)

    def action_rename(self) -> None:
        """Ask by which name runs are to be shown."""
        from lthtui.screens.naming import NameScreen

        runs = self.meant()
        names = {run.display_name for run in runs}
        before = names.pop() if len(names) == 1 else None

        def answered(name: str | None) -> None:
            if name is not None and name != before:
                self.post_message(Act(lambda desk: desk.notes.rename(runs, name), lasting=True))

        question = f"Name of {listed([run.run_id for run in runs])}"
        detail = "What lists show, here and in MLflow; empty for the own name. The id stays."
        self.app.push_screen(NameScreen(question, detail, before or "", blank=True), answered)

    def action_archive(self) -> None:
        """Put runs aside; if all of them are, have lists show them again."""
        runs = self.meant()
        aside = not all(run.archived for run in runs)
        self.post_message(Act(lambda desk: desk.notes.archive(runs, aside), lasting=True))

    def action_throw(self) -> None:
        """Put runs into the trash after asking once."""
        runs = tuple(run for run in self.meant() if run.directory)
        away = len(self.meant()) - len(runs)
        stay = f"{away} without a folder here stay; " if away else ""
        if not runs:
            said = "without a folder here there is nothing to trash; MLflow's own pages delete it"
            self.notify(said, severity="warning", markup=False)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_message(Act(lambda desk: desk.trash.throw(runs), lasting=True))

        names, what = (runs[0].run_id, "it") if len(runs) == 1 else ("RUN...", "them")
        detail = f"{stay}`lthtui trash --restore {names}`, or T among the runs, takes {what} back."
        question = f"Put {listed([run.run_id for run in runs])} into the trash?"
        self.app.push_screen(ConfirmScreen(question, detail, "Trash"), answered)

    def _write(self, runs: Runs, before: Mapping[str, str]) -> None:
        """Have a note written, now that it is known what there is."""
        text, *others = {*before.values()} or [""]
        if not others:
            self._edit(runs, text, partial(self._revise, runs, before))
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._edit(runs, "", partial(self._append, runs))

        question = f"The notes of these {len(runs)} runs differ"
        detail = "You may write a paragraph that is added to each of them."
        self.app.push_screen(ConfirmScreen(question, detail, "Write it"), answered)

    def _revise(self, runs: Runs, before: Mapping[str, str], text: str) -> None:
        if all(text.rstrip() == one.rstrip() for one in before.values()):
            self.notify("the note is as it was")
        else:
            self.post_message(Act(lambda desk: desk.notes.revise(runs, before, text), lasting=True))

    def _append(self, runs: Runs, text: str) -> None:
        if text.strip():
            self.post_message(Act(lambda desk: desk.notes.append(runs, text), lasting=True))

    def _edit(self, runs: Runs, text: str, take: Callable[[str], None]) -> None:
        """Have a text edited by the user's own editor, or where that cannot be, here."""
        from lthtui import editing

        try:
            if not editing.editor():
                self._edit_here(runs, text, take)
                return
            found = lent(self.app, lambda: editing.edited(text, "note.md"))
        except SuspendNotSupported:
            self._edit_here(runs, text, take)
        except (UsageError, OSError, ValueError) as error:
            self.notify(clean(str(error)), severity="error", timeout=10, markup=False)
        else:
            take(found)

    def _edit_here(self, runs: Runs, text: str, take: Callable[[str], None]) -> None:
        from lthtui.screens.note import NoteScreen

        def answered(found: str | None) -> None:
            if found is not None:
                take(found)

        whose = runs[0].run_id if len(runs) == 1 else f"{len(runs)} runs"
        self.app.push_screen(NoteScreen(f"note of {whose}, in Markdown", text), answered)

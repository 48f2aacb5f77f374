"""Specs: their files, an editor beside a form, what they would do, and one question to queue it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import TextArea

from lthtui.board import Board
from lthtui.drafts import Draft
from lthtui.messages import Ask, CopyWanted, Highlighted, Opened
from lthtui.screens.filing import FilingScreen
from lthtui.screens.paned import PanedScreen
from lthtui.text import clean_line
from lthtui.widgets.editor import SpecEditor
from lthtui.widgets.form import FormView
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.plan import PlanView
from lthtui.widgets.problems import ProblemLine
from lthtui.widgets.speclist import SpecList
from lthtui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lthtui.form import Knob
    from lthtui.prospect import Prospect

BEGINNING = "quickstart.yaml"  # what is shown first: it needs no data, so a stranger can run it
PAUSE = 0.3  # seconds without a key before what was typed is checked


class SpecsScreen(FilingScreen, PanedScreen):
    """Files, editor, form and plan; narrow terminals show one of them."""

    PANES = ("specs", "editor", "form", "plan")
    CSS_PATH = "../styles/specs.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (180, "-huge")]
    BINDINGS = [
        Binding("f3", "problem", "Next problem", id="specs.problem"),
        Binding("y", "command", "Copy command", id="specs.command"),
        Binding("r", "reload", "Read again", show=False, id="specs.reload"),
        Binding("tab,right_square_bracket", "pane(1)", "Next pane", id="specs.next"),
        Binding(
            "shift+tab,left_square_bracket",
            "pane(-1)",
            "Pane before",
            show=False,
            id="specs.before",
        ),  # fmt: skip
        Binding("escape", "files", "Files, or back", show=False, id="specs.files"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._soon: Timer | None = None

    def compose(self) -> ComposeResult:
        """Header, four panes, keys."""
        yield TopBar(self._root, self._clock, "specs")
        with Horizontal(id="desk"):
            yield SpecList(id="specs")
            yield SpecEditor(id="editor")
            with Vertical(id="aside"):
                yield FormView(self._put, id="form")
                yield PlanView(id="plan")
        yield ProblemLine(id="problem")
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask for the files."""
        self.query_one("#specs").border_title = "specs"
        self.show_pane("specs")

    def on_screen_resume(self) -> None:
        """Files may have come or changed meanwhile."""
        self.list_files()

    def show_board(self, board: Board) -> None:
        """Past runs tell what new ones cost."""
        super().show_board(board)
        if self.is_mounted:
            self.query_one(TopBar).show(board.counts)

    def unsaved(self) -> list[str]:
        """The drafts that are not in their files."""
        return [path for path, draft in self.drafts.items() if draft.modified]

    # ---- files

    def turn_to(self, path: str) -> None:
        """Show a file, which may be new."""
        self.wanted = path
        self.list_files()

    def action_reload(self) -> None:
        """Read the folder and all files anew, but for drafts that are being changed."""
        self.query_one(SpecList).forget()
        self.list_files()

    def list_files(self) -> None:
        """Read the folder, and the file in view unless it is being changed."""
        self.post_message(Ask(self, "paths", lambda desk: desk.specs.paths(), self._list))

    def _list(self, paths: list[str]) -> None:
        files = self.query_one(SpecList)
        before = files.cursor
        files.empty = "no spec here: press n to begin one"
        known = {*paths, *self.unsaved()}
        self.paths = sorted(known, key=lambda one: (one.count("/"), one))  # inner folders last
        self.refill()
        files.find_out()
        if before is None:
            first = (one for one in paths if one.endswith(f"/{BEGINNING}"))
            self.wanted = self.wanted or next(first, None)
        if self.wanted is not None:
            files.select(self.wanted)
            if (draft := self.drafts.get(self.wanted)) and draft.disk is None:
                self.show_pane("editor")
            self.wanted = None
        elif before is not None and files.cursor == before:  # or else `on_highlighted` does
            self._turn_to(before)

    def refill(self) -> None:
        """Show which drafts there are to save."""
        self.query_one(SpecList).fill(self.paths, self.unsaved())

    def on_highlighted(self, message: Highlighted) -> None:
        """Show another file, as it was left."""
        if message.key is not None:
            self._turn_to(message.key)
        else:
            self.show_draft(None)

    def _turn_to(self, path: str) -> None:
        """Show a file, as it was left if there is something to save in it."""
        draft = self.drafts.get(path)
        if draft is None or not draft.modified:
            self.post_message(
                Ask(self, "text", lambda desk: (path, desk.specs.read(path)), self._take)
            )
        elif path != self.path:
            self.show_draft(draft)

    def _take(self, read: tuple[str, str | Prospect]) -> None:
        """Show what is in a file, unless it was changed here since it was asked for."""
        path, text = read
        draft = self.drafts.get(path)
        if path != self.query_one(SpecList).cursor or (draft and draft.modified):
            return
        if not isinstance(text, str):
            self.show_draft(None)
            self._show(path, text)
        elif draft is None or draft.disk != text or path != self.path:
            self.show_draft(Draft(path, text, text))
        else:
            self.check()

    def show_draft(self, draft: Draft | None) -> None:
        """Put a draft into the editor, or empty it."""
        self.path, self.prospect = draft.path if draft else None, None
        if draft:
            self.drafts[draft.path] = draft
        editor = self.query_one(SpecEditor)
        editor.put(draft.text if draft else "")
        editor.read_only = draft is None
        self._title()
        self.check()

    def on_opened(self, message: Opened) -> None:
        """Edit the file."""
        self.show_pane("editor")

    # ---- what is typed

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Note what is typed, and check it when the typing rests."""
        draft = self.draft
        if draft is None:
            return
        draft.text = event.text_area.text
        self._title()
        self.refill()
        if self._soon is not None:
            self._soon.stop()
        self._soon = self.set_timer(PAUSE, self.check)

    def check(self) -> None:
        """Ask what the text would do."""
        draft, past = self.draft, [*self.board.runs.values()]
        if draft is not None:
            path, text, disk = draft.path, draft.text, draft.disk
            self.post_message(
                Ask(
                    self,
                    "look",
                    lambda desk: desk.specs.look(path, text, disk, past),
                    partial(self._looked, path),
                    leads=self.queueing,
                )  # fmt: skip
            )

    def _looked(self, path: str, prospect: Prospect) -> None:
        """Show what the text would do, unless it is another by now."""
        self.query_one(SpecList).take(path, prospect)
        draft = self.drafts.get(path)
        if path != self.path or draft is None or draft.text != prospect.text:
            return
        self._show(path, prospect)
        self.go_on()

    def _show(self, path: str, prospect: Prospect) -> None:
        self.prospect = prospect
        self.query_one(SpecEditor).mark(prospect.problems)
        self.query_one(FormView).show(path, prospect.knobs, prospect.problems)
        self.query_one(PlanView).show(prospect)
        self._title()

    def _title(self) -> None:
        draft, editor = self.draft, self.query_one(SpecEditor)
        star = "" if draft is None or not draft.modified else " (modified)"
        name = clean_line(self.path or "")
        editor.border_title = Content(f"{name}{star}")
        for pane in ("form", "plan"):
            self.pane(pane).border_title = Content(f"{pane}  {name}")
        problems = self.prospect.problems if self.prospect else ()
        self.query_one(ProblemLine).show(problems, editor.cursor_location[0] + 1)
        self.refresh_bindings()

    def on_text_area_selection_changed(self) -> None:
        """Tell what is wrong where the cursor is."""
        self._title()

    def _put(self, knob: Knob, typed: str) -> None:
        """Change a field of the text by the form."""
        from engine.errors import LthError
        from lthtui import form

        editor = self.query_one(SpecEditor)
        try:
            editor.take(form.put(editor.text, knob, typed))
        except LthError as error:
            self.notify(str(error), severity="error", markup=False)

    def action_problem(self) -> None:
        """Go to the next problem behind the cursor, or to the first, in the form or the text."""
        form = self.query_one(FormView)
        if form.has_focus_within and form.go_to_problem():
            return
        editor, found = self.query_one(SpecEditor), self.prospect
        marks = sorted(one.mark for one in found.problems if one.mark) if found else []
        if marks:
            row, column = editor.cursor_location
            here = (row + 1, column + 1)
            chosen = next((one for one in marks if (one.line, one.column) > here), marks[0])
            self.show_pane("editor")
            editor.go_to(chosen.line, chosen.column)

    def action_command(self) -> None:
        """Copy the command line that does what queueing the text would do."""
        if self.prospect and self.prospect.command:
            self.post_message(CopyWanted(self.prospect.command))

    # ---- panes

    def action_files(self) -> None:
        """Go back to where the draft in view was asked for, or else to the files."""
        if place := self.back.pop(self.path or "", ""):
            self._go(place)
        else:
            self.show_pane("specs")

    def mark_shown(self, name: str) -> None:
        """What is wrong is told to whoever writes; form and plan share a place."""
        super().mark_shown(name)
        self.query_one("#aside").set_class(name in ("form", "plan"), "-shown")
        self.query_one(ProblemLine).set_class(name == "editor", "-shown")

"""The form of a spec: a table of fields, and a line or list to change the one under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from lthtui import blame, formrows
from lthtui.messages import Folded, Highlighted, Opened
from lthtui.widgets.grid import Grid
from lthtui.widgets.problems import worded

if TYPE_CHECKING:
    from lthtui.form import Knob
    from lthtui.yamlfile import Problem


class FormView(Vertical):
    """Calls `put` with a field and what was typed for it; nothing typed means its default."""

    BINDINGS = [
        Binding("backspace,delete", "reset", "Default", id="form.reset"),
        Binding("escape", "close", "Leave field", show=False, id="form.close"),
    ]

    def __init__(self, put: Callable[[Knob, str], None], id: str | None = None) -> None:
        super().__init__(id=id)
        self._put = put
        self._knobs: dict[str, Knob] = {}
        self._problems: dict[str, Problem] = {}  # by the field that they are in
        self._folded: set[str] = set()
        self._path = ""

    def compose(self) -> ComposeResult:
        """Fields, what the chosen one is for, and where it is changed."""
        yield Grid(formrows.COLUMNS, "the text has no fields yet", id="knobs")
        yield OptionList(id="options", compact=True)
        yield Input(id="typed", compact=True)
        yield Static(id="about", markup=False)

    def show(
        self, path: str, knobs: Sequence[Knob] | None, problems: Sequence[Problem] = ()
    ) -> None:
        """Show the fields of a spec; None leaves the last ones, dim, if they are of this spec."""
        self.set_class(knobs is None, "-stale")
        if knobs is not None or path != self._path:
            self._path, self._knobs = path, {knob.key: knob for knob in knobs or ()}
            self._problems = blame.by_field(problems, self._knobs)
            self._fill()

    def go_to_problem(self) -> bool:
        """Go to the next field that is wrong, or to the first; say whether there is one."""
        keys = [*self._knobs]
        wrong = [key for key in keys if key in self._problems or self._knobs[key].needed]
        if not wrong:
            return False
        grid = self.query_one(Grid)
        at = keys.index(grid.cursor) if grid.cursor in self._knobs else -1
        key = next((one for one in wrong if keys.index(one) > at), wrong[0])
        self._folded -= {*formrows.above(self._knobs[key].path)}
        self._fill()
        grid.select(key)
        return True

    def focus(self, scroll_visible: bool = True) -> FormView:
        """The fields have the focus."""
        self.query_one(Grid).focus(scroll_visible)
        return self

    def on_highlighted(self, message: Highlighted) -> None:
        """Say what another field is for."""
        message.stop()
        self._tell()

    def on_folded(self, message: Folded) -> None:
        """Show or hide the fields of a block."""
        message.stop()
        knob = self._knobs[message.key]
        key = knob.key if knob.kind == "block" else ".".join(map(str, knob.path[:-1]))
        unfold = key in self._folded if message.unfold is None else message.unfold
        (self._folded.discard if unfold else self._folded.add)(key)
        self.query_one(Grid).select(key)
        self._fill()

    def on_opened(self, message: Opened) -> None:
        """Change a field: pick from a list, or type."""
        message.stop()
        knob = self._knobs[message.key]
        if knob.fixed or (knob.kind == "block" and not knob.options):
            return
        if knob.kind == "value":
            line = self.query_one("#typed", Input)
            line.suggester = SuggestFromList(knob.options)
            line.placeholder = " | ".join(knob.options) or "empty: the default"
            line.value = knob.text if knob.given or knob.varied else ""
            self._open(line)
            return
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(
            [Option(Content(one), id=str(at)) for at, one in enumerate(knob.options)]
        )
        options.highlighted = knob.options.index(knob.text) if knob.text in knob.options else 0
        self._open(options)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take what was picked."""
        event.stop()
        self._done(str(event.option.prompt))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        event.stop()
        self._done(event.value)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a field that is set can be set back."""
        if action == "close":
            return self.has_class("-open")
        knob = self._chosen
        return bool(knob and (knob.given or knob.varied) and not self.has_class("-open"))

    def action_reset(self) -> None:
        """Give the field under the cursor its default again."""
        if knob := self._chosen:
            self._put(knob, "")

    def action_close(self) -> None:
        """Leave the field as it is."""
        self.remove_class("-open")
        for one in ("#typed", "#options"):
            self.query_one(one).remove_class("-open")
        self.focus()

    @property
    def _chosen(self) -> Knob | None:
        return self._knobs.get(self.query_one(Grid).cursor or "")

    def _open(self, editor: Input | OptionList) -> None:
        self.add_class("-open")
        editor.add_class("-open")
        editor.focus()

    def _done(self, typed: str) -> None:
        knob = self._chosen
        self.action_close()
        if knob is not None:
            self._put(knob, typed)

    def _fill(self) -> None:
        wrong = [key for key, one in self._problems.items() if not one.absent]
        rows = formrows.rows([*self._knobs.values()], self._folded, wrong)
        self.query_one(Grid).show(rows)
        self._tell()

    def _tell(self) -> None:
        knob, said = self._chosen, Text()
        if knob and (problem := self._problems.get(knob.key)):
            said.append_text(worded(self, problem)).append("\n")
        self.query_one("#about", Static).update(said.append(formrows.told(knob)))
        self.refresh_bindings()

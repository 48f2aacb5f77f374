"""The terminal app: it wires screens, messages and the desk that does the work in threads."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from textual.app import App
from textual.binding import Binding
from textual.events import Event, InputEvent
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from engine.errors import INTERRUPTED, UsageError
from lthtui import crash, endings, messages, preferences, state, themes, tracking
from lthtui.board import Board
from lthtui.desk import Desk
from lthtui.errands import ACTION, Errands
from lthtui.leaving import leave
from lthtui.preferences import Preferences
from lthtui.screens import places
from lthtui.screens.base import Watching
from lthtui.screens.confirm import ConfirmScreen
from lthtui.text import clean
from lthtui.typeahead import TypeAhead
from lthtui.widgets.plain import Plain, named
from lthtui.widgets.styles import Styles
from lthtui.widgets.topbar import PLACES

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.notifications import SeverityLevel

    from lthtui.runview import RunView

POLL = 0.5  # seconds between two looks at the runs
READ = 25  # characters of a message that are read in a second


def _palette() -> type[Provider]:
    from lthtui.screens.palette import Palette  # not before somebody opens it

    return Palette


class LthApp(App[int], inherit_bindings=False):
    """Shows the runs of a root. Quitting it stops no run."""

    TITLE = "lthtui"
    CSS_PATH = "styles/lthtui.tcss"
    DEFAULT_MODE = PLACES[0]
    COMMANDS = {_palette}
    BINDINGS = [
        *(
            Binding(str(number), f"go('{place}')", f"Go to {place}", show=False, id=f"go.{place}")
            for number, place in enumerate(PLACES, start=1)
        ),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("question_mark", "help", "Help", id="app.help"),
        Binding("colon,ctrl+p", "command_palette", "Palette", show=False, id="app.palette"),
        Binding("apostrophe", "jump", "Jump", show=False, id="app.jump"),
        Binding("ctrl+c", "help_quit", "How to quit", show=False, id="app.interrupt"),
    ]

    def __init__(self, desk: Desk, clock: Callable[[], float], preferences: Preferences) -> None:
        super().__init__()
        self.desk, self.clock = desk, clock
        self._preferences = preferences
        self.board = Board()
        self._errands = Errands(self, desk)
        self._typeahead = TypeAhead(self)
        self._made: dict[str, Watching] = {}
        self._said = ""
        self._fallen = False
        self.register_theme(themes.OWN)
        self.theme = themes.chosen(preferences.theme, self.available_themes)
        self.stylesheet = Styles(self.get_css_variables())
        if preferences.keys:
            self.set_keymap(self._keys_of(preferences.keys))
        for place in PLACES:
            self.add_mode(place, partial(self._place, place))

    def _keys_of(self, chosen: Mapping[str, str]) -> Mapping[str, str]:
        """Keys that a person chose, which do one thing in each place."""
        from lthtui import keymap
        from lthtui.screens import bindings

        known, names = bindings.bound(LthApp), bindings.names(LthApp)
        keymap.check(chosen, known, names, bindings.spelled)
        return {id: ",".join(keymap.split(keys)) for id, keys in chosen.items()}

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What changes every line before it is written to the terminal."""
        plain = [Plain()] if self._preferences.ascii else []
        return [*super().get_line_filters(), *plain]

    def get_css_variables(self) -> dict[str, str]:
        """The colours of the theme, by which styles name them."""
        self.theme_variables = themes.bordered(super().get_css_variables())
        return self.theme_variables

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a toast, at least for as long as it takes to read."""
        least = self.NOTIFICATION_TIMEOUT if timeout is None else timeout
        timeout = max(least, len(message) / READ)
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def get_key_display(self, binding: Binding) -> str:
        """How a key is shown: as a sign where there is one, if signs may be drawn."""
        shown = super().get_key_display(binding)
        return named(shown) if self._preferences.ascii else shown

    def _place(self, place: str) -> Screen[Any]:
        """The screen of a place, which is made once."""
        screen = self._made[place] = places.make(
            place, tracking.shown(self.desk.root, self.desk.store), self.clock
        )
        screen.board = self.board
        return screen

    async def on_mount(self) -> None:
        """Begin where it was left; look at the runs only after the first screen is painted."""
        if (place := state.get("places", self._looked_at)) in PLACES[1:]:
            await self.switch_mode(place)
        self.call_after_refresh(self._watch)

    def on_unmount(self) -> None:
        """Leave nothing open."""
        self._errands.close()

    async def answer(self, question: Callable[[Desk], Any]) -> Any:
        """The desk's answer to a question of the palette, which is no widget that could ask."""
        return await self._errands.answer(question)

    def finish(self) -> None:
        """Wait for what was asked for, once the app has left the terminal; see `Errands`."""
        self._errands.finish(partial(print, file=sys.stderr))

    async def on_event(self, event: Event) -> None:
        """Deal with one key after another, and with none any more once no screen is left."""
        if isinstance(event, InputEvent) and not self.screen_stack:
            return
        if not self._typeahead.holds(event):
            await super().on_event(event)

    def _watch(self) -> None:
        self._errands.look()
        self.set_interval(POLL, self._errands.tick)

    # ---- requests

    def on_log_wanted(self, message: messages.LogWanted) -> None:
        """Follow another log, from its beginning."""
        self._errands.follow(message)

    def on_act(self, message: messages.Act) -> None:
        """Have the desk do something; the screens show what came of it."""
        self._errands.act(message)

    def on_ask(self, message: messages.Ask) -> None:
        """Have the desk answer a question."""
        self._errands.ask(message)

    def on_run_wanted(self, message: messages.RunWanted) -> None:
        """Open a run, or a group."""
        from lthtui.screens.run import RunScreen

        screen = RunScreen(message.key)
        self.push_screen(screen)
        screen.show_board(self.board)

    async def on_compare_wanted(self, message: messages.CompareWanted) -> None:
        """Go to the place for comparing, and compare there."""
        from lthtui.screens.compare import CompareScreen

        await self._enter("compare")
        if isinstance(self.screen, CompareScreen):
            self.screen.compare(message.keys)

    async def on_clone_wanted(self, message: messages.CloneWanted) -> None:
        """Go to the place of specs, and begin one there; escape leads back."""
        from lthtui.screens.specs import SpecsScreen

        back = self.current_mode
        await self._enter("specs")
        if isinstance(self.screen, SpecsScreen):
            self.screen.clone(message.run_ids, message.level, back)

    async def on_spec_wanted(self, message: messages.SpecWanted) -> None:
        """Go to the place of specs, and show one there."""
        from lthtui.screens.specs import SpecsScreen

        await self._enter("specs")
        if isinstance(self.screen, SpecsScreen):
            self.screen.turn_to(message.path)

    def on_copy_wanted(self, message: messages.CopyWanted) -> None:
        """Send a text to the terminal's clipboard, and to a file for terminals that have none."""
        self.copy_to_clipboard(message.text)
        self.post_message(messages.Act(lambda desk: desk.keep_clip(message.text)))

    # ---- reports

    def on_runs_changed(self, message: messages.RunsChanged) -> None:
        """Show the runs as they are now on every screen that shows runs."""
        before, self.board = self.board, message.board
        if self.board.trouble and self.board.trouble != before.trouble:
            self.notify(self.board.trouble, severity="warning", timeout=10, markup=False)
        elif before.since and not self.board.since:
            self.notify("the store can be read again", markup=False)
        self._show_board()
        if ended := endings.between(before, self.board):
            self._say_ended(ended)

    def _say_ended(self, runs: list[RunView]) -> None:
        """Tell of runs that have ended, by a toast, the bell and the command that is wanted."""
        failed = any(run.error for run in runs)
        said = endings.said(runs, self.board)
        self.notify(said, severity="error" if failed else "information", timeout=10, markup=False)
        self.bell()
        if command := self._preferences.on_end:
            self.post_message(messages.Act(lambda _: endings.call(command, runs), lasting=True))

    def _show_board(self) -> None:
        """Show the runs on the screens that can be seen, and have the others do so once they can.

        Textual would draw all of what is on top again for whatever changes below.
        """
        seen = True
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Watching):
                screen.missed = None if seen else self.board
                if seen:
                    screen.show_board(self.board)
            seen = seen and screen.is_modal

    def on_done(self, message: messages.Done) -> None:
        """Say what an action did, and show it without waiting for the next look."""
        if message.text:
            self.notify(message.text, markup=False)
        self._errands.look()
        if message.then:
            message.then()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what went wrong in a thread; one error again and again is said once."""
        if event.state == WorkerState.ERROR:
            said = clean(str(event.worker.error) or repr(event.worker.error))
            if event.worker.group == ACTION or said != self._said:
                self.notify(said, severity="error", timeout=10, markup=False)
            self._said = said

    def _fatal_error(self) -> None:
        """Leave with one message, where Textual prints a traceback with the values of variables."""
        from rich.text import Text

        if self._exception is not None and not self._fallen:
            self._fallen = True  # one failure may bring others along, which tell nothing more
            self.bell()
            self.panic(Text(crash.report(self._exception)))

    # ---- keys that work everywhere

    async def action_go(self, place: str) -> None:
        """Go to one of the places, which is as it was left; in it, leave what was opened there."""
        if place == self.current_mode:
            await self._enter(place)
        else:
            await self.switch_mode(place)
            self._remember("places", self._looked_at, place)
            self._show_board()

    async def _enter(self, place: str) -> None:
        """Go to one of the places itself, and not to what was opened there."""
        if place != self.current_mode:
            await self.action_go(place)
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        self._show_board()

    async def action_new(self) -> None:
        """Choose or begin a spec to run."""
        await self.action_go("specs")

    def action_help(self) -> None:
        """Show the keys that work on this screen."""
        from lthtui.screens.help import HelpScreen, keys_of

        self.push_screen(HelpScreen(keys_of(self.screen)))

    def action_command_palette(self) -> None:
        """Show what can be done here, and gone to."""
        from lthtui.screens.palette import PaletteScreen

        if not isinstance(self.screen, PaletteScreen):
            self.push_screen(PaletteScreen())

    def action_jump(self) -> None:
        """Put a letter on all that can have the focus, and go where one leads."""
        from lthtui.screens.jump import JumpScreen

        def go(target: Widget | None) -> None:
            if target is not None:
                target.focus()

        self.push_screen(JumpScreen(self.screen.focus_chain), go)

    def watch_theme(self, theme: str) -> None:
        """Remember the theme that somebody chose."""
        if self.is_running and theme != self._preferences.theme:
            self._remember("app", "theme", theme)

    @property
    def _looked_at(self) -> str:
        return str(self.desk.store or self.desk.root)

    def _remember(self, section: str, key: str, value: str) -> None:
        self.post_message(messages.Act(lambda desk: desk.memory.put(section, key, value)))

    async def action_quit(self) -> None:
        """Quit, after asking about what was typed and not saved."""
        unsaved = [clean(path) for screen in self._made.values() for path in screen.unsaved()]
        if not unsaved:
            self._leave()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._leave()

        question = f"Quit without saving {', '.join(unsaved)}?"
        detail = "What was typed there is lost. To keep it, say no and save it in its place (F2)."
        self.push_screen(ConfirmScreen(question, detail, "Quit"), answered)

    def _leave(self) -> None:
        """Quit; runs go on."""
        active = self.board.counts["running"] + self.board.counts["queued"]
        runs = f"{active} run{' goes' if active == 1 else 's go'} on"
        self.exit(0, message=f"{runs}; `lthtui` shows them again" if active else None)


def build_app(
    root: Path,
    specs: Path = Path("specs"),
    *,
    desk: Desk | None = None,
    clock: Callable[[], float] = time.time,
    preferences: Preferences | None = None,
) -> LthApp:
    """Make the app for a root of runs and a folder of specs; the one way for command and tests.

    Raises:
        UsageError: the preferences name an unknown theme, binding or key.
    """
    wanted = preferences or Preferences()
    try:
        return LthApp(desk or Desk(root, specs), clock, wanted)
    except UsageError as error:
        where = " or ".join(wanted.said_in)
        raise UsageError(f"{where}: {error}" if where else str(error)) from None


def run_app(root: Path) -> NoReturn:
    """Run the app on this terminal until it is quit, and end this program with its exit code.

    SIGTERM ends it as Ctrl-C does, or else it would leave a terminal that takes no more commands.

    Raises:
        UsageError: see `build_app` and `tracking.browsed`.
    """
    desk = Desk(root, Path("specs"), tracking.browsed(root))
    app = build_app(root, desk=desk, preferences=preferences.load())
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app.run()
        app.finish()
        code = INTERRUPTED if app.return_code is None else app.return_code  # Textual keeps Ctrl-C
    except KeyboardInterrupt:
        code = INTERRUPTED
    leave(code)

"""The terminal app: it wires screens, messages and the desk that does the work in threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.filter import LineFilter
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState, get_current_worker

from engine.errors import UsageError, did_you_mean
from lthtui import endings, keymap, messages, preferences, state
from lthtui.board import Board
from lthtui.desk import Desk
from lthtui.drafts import Draft
from lthtui.logtail import LogTail
from lthtui.preferences import Preferences
from lthtui.runview import RunView
from lthtui.screens.base import Watching
from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.main import MainScreen
from lthtui.text import clean, clean_line
from lthtui.widgets.plain import Plain
from lthtui.widgets.topbar import PLACES

POLL = 0.5  # seconds between two looks at the runs
THEME = Theme(
    name="lthtui",
    primary="#7aa2f7",
    secondary="#bb9af7",
    accent="#7dcfff",
    success="#9ece6a",
    warning="#e0af68",
    error="#f7768e",
    foreground="#c8cee4",
    background="#16161e",
    surface="#16161e",
    panel="#24283b",
    dark=True,
    variables={"border": "#3b4261", "border-blurred": "#3b4261"},
)


class LthApp(App[int], inherit_bindings=False):
    """Shows the runs of a root. Quitting it stops no run."""

    TITLE = "lthtui"
    CSS_PATH = "styles/lthtui.tcss"
    DEFAULT_MODE = "runs"
    BINDINGS = [
        *(
            Binding(str(number), f"go('{place}')", place.title(), show=False, id=f"go.{place}")
            for number, place in enumerate(PLACES, start=1)
        ),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("question_mark", "help", "Help", id="app.help"),
        Binding("colon,ctrl+p", "command_palette", "Palette", show=False, id="app.palette"),
        Binding("ctrl+c", "help_quit", "How to quit", show=False, id="app.interrupt"),
    ]

    def __init__(self, desk: Desk, clock: Callable[[], float], preferences: Preferences) -> None:
        super().__init__()
        self.desk, self.clock = desk, clock
        self._preferences = preferences
        self.board = Board()
        self._followed: tuple[messages.LogWanted, LogTail] | None = None
        self._drafts: dict[str, Draft] = {}
        self._said = ""
        self._acted = Event()  # set when the newest of the actions that keep their order is done
        self._acted.set()
        self.register_theme(THEME)
        self.theme = self._theme()
        if preferences.keys:
            self.set_keymap(self._keys_of(preferences.keys))
        for place, make in {
            "runs": self._runs,
            "queue": self._queue,
            "compare": self._compare,
            "tickets": self._tickets,
            "specs": self._specs,
        }.items():
            self.add_mode(place, make)

    def _theme(self) -> str:
        """The theme that was set, or else chosen last, or the app's own."""
        if (wanted := self._preferences.theme) and wanted not in self.available_themes:
            hint = did_you_mean(wanted, [*self.available_themes])
            raise UsageError(f"there is no theme '{clean_line(wanted)}'{hint}")
        chosen = wanted or state.get("app", "theme")
        return chosen if chosen in self.available_themes else THEME.name

    def _keys_of(self, chosen: Mapping[str, str]) -> Mapping[str, str]:
        """Keys that a person chose, which do one thing in each place."""
        from lthtui.screens import bindings

        known, names = bindings.bound(LthApp), bindings.names(LthApp)
        keymap.check(chosen, known, names, bindings.spelled)
        return {id: ",".join(keymap.split(keys)) for id, keys in chosen.items()}

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What changes every line before it is written to the terminal."""
        plain = [Plain()] if self._preferences.ascii else []
        return [*super().get_line_filters(), *plain]

    def _runs(self) -> Screen[Any]:
        return MainScreen(_short(self.desk.root), self.clock)

    def _queue(self) -> Screen[Any]:
        from lthtui.screens.queue import QueueScreen

        screen = QueueScreen(_short(self.desk.root), self.clock)
        screen.board = self.board
        return screen

    def _compare(self) -> Screen[Any]:
        from lthtui.screens.compare import CompareScreen

        screen = CompareScreen(_short(self.desk.root), self.clock)
        screen.board = self.board
        return screen

    def _tickets(self) -> Screen[Any]:
        from lthtui.screens.tickets import TicketsScreen

        screen = TicketsScreen(_short(self.desk.root), self.clock)
        screen.board = self.board
        return screen

    def _specs(self) -> Screen[Any]:
        from lthtui.screens.specs import SpecsScreen

        screen = SpecsScreen(_short(self.desk.root), self.clock, self._drafts)
        screen.board = self.board
        return screen

    def on_mount(self) -> None:
        """Look at the runs only after the first screen is painted."""
        self.call_after_refresh(self._watch)

    def on_unmount(self) -> None:
        """Leave nothing open."""
        self.desk.close()

    def _watch(self) -> None:
        self._look()
        self.set_interval(POLL, self._look)

    def _look(self) -> None:
        """Look at the runs and the log, unless the last look still lasts."""
        busy = self._busy()
        if "poll" not in busy:
            self._poll()
        if self._followed and "log" not in busy:
            self._read_log(*self._followed)

    def _busy(self) -> set[str]:
        """The groups of what is being worked on."""
        return {worker.group for worker in self.workers if not worker.is_finished}

    # ---- work, in threads: it reports by messages and touches no widget

    @work(thread=True, group="poll", exit_on_error=False)
    def _poll(self) -> None:
        if board := self.desk.poll():
            self.post_message(messages.RunsChanged(board))

    @work(thread=True, group="log", exit_on_error=False)
    def _read_log(self, wanted: messages.LogWanted, tail: LogTail) -> None:
        """Read on for who asked; another screen has a tail of its own, even of the same run."""
        if wanted.run_id and (chunk := tail.read()):
            wanted.asker.post_message(messages.LogGrew(wanted.run_id, chunk))

    @work(thread=True, group="action", exit_on_error=False)
    def _act(self, action: Callable[[Desk], str], before: Event, done: Event) -> None:
        before.wait()
        try:
            self.post_message(messages.Done(action(self.desk)))
        finally:
            done.set()

    def _answer(self, asked: messages.Ask) -> None:
        answer = messages.Answer(asked.reply, asked.question(self.desk))
        if not get_current_worker().is_cancelled:
            asked.asker.post_message(answer)

    # ---- requests

    def on_log_wanted(self, message: messages.LogWanted) -> None:
        """Follow another log, from its beginning."""
        tail = self.desk.follow(message.run_id)
        self._followed = (message, tail) if tail else None
        self._look()

    def on_act(self, message: messages.Act) -> None:
        """Have the desk do something; the screens show what came of it."""
        before, done = self._acted, Event()
        if message.lasting:
            before = done
            before.set()
        else:
            self._acted = done
        self._act(message.action, before, done)

    def on_ask(self, message: messages.Ask) -> None:
        """Have the desk answer a question."""
        group = f"{id(message.asker)} {message.about}"
        if message.patient and group in self._busy():
            return
        self.run_worker(
            partial(self._answer, message),
            thread=True,
            group=group,
            exclusive=True,
            exit_on_error=False,
        )

    def on_run_wanted(self, message: messages.RunWanted) -> None:
        """Open a run, or a group."""
        from lthtui.screens.run import RunScreen

        screen = RunScreen(message.key)
        self.push_screen(screen)
        screen.show_board(self.board)

    async def on_compare_wanted(self, message: messages.CompareWanted) -> None:
        """Go to the place for comparing, and compare there."""
        from lthtui.screens.compare import CompareScreen

        await self.action_go("compare")
        if isinstance(self.screen, CompareScreen):
            self.screen.compare(message.keys)

    async def on_clone_wanted(self, message: messages.CloneWanted) -> None:
        """Go to the place of specs, and begin one there."""
        from lthtui.screens.specs import SpecsScreen

        await self.action_go("specs")
        if isinstance(self.screen, SpecsScreen):
            self.screen.clone(message.run_ids)

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
        for screen in self.screen_stack:
            if isinstance(screen, Watching):
                screen.show_board(self.board)

    def on_done(self, message: messages.Done) -> None:
        """Say what an action did, and show it without waiting for the next look."""
        if message.text:
            self.notify(message.text, markup=False)
        self._look()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what went wrong in a thread; one error again and again is said once."""
        if event.state == WorkerState.ERROR:
            said = clean(str(event.worker.error) or repr(event.worker.error))
            if event.worker.group == "action" or said != self._said:
                self.notify(said, severity="error", timeout=10, markup=False)
            self._said = said

    # ---- keys that work everywhere

    async def action_go(self, place: str) -> None:
        """Go to one of the places; each is as it was left."""
        await self.switch_mode(place)
        self._show_board()

    async def action_new(self) -> None:
        """Choose or begin a spec to run."""
        await self.action_go("specs")

    def action_help(self) -> None:
        """Show the keys that work on this screen."""
        from lthtui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self._keys()))

    def watch_theme(self, theme: str) -> None:
        """Remember the theme that somebody chose."""
        if self.is_running and theme != self._preferences.theme:
            state.put("app", "theme", theme)

    async def action_quit(self) -> None:
        """Quit, after asking about what was typed and not saved."""
        unsaved = [clean(path) for path, draft in self._drafts.items() if draft.modified]
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

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action that has a key on this screen, and the themes, for the palette."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.id and binding.description and active.enabled:
                act = partial(self.run_action, binding.action, active.node)
                key = self.get_key_display(binding)
                yield SystemCommand(binding.description, f"key {key}", act)
        yield SystemCommand("Theme", "choose colours", self.action_change_theme)

    def _keys(self) -> list[tuple[str, str]]:
        """Keys of the screen in view with what they do, those of the widget in focus last."""
        keys: dict[str, list[str]] = {}
        bindings = self.screen.active_bindings.values()
        for active in sorted(bindings, key=lambda one: one.node is self.focused):
            if active.binding.id and active.binding.description:
                shown = self.get_key_display(active.binding)
                keys.setdefault(active.binding.description, []).append(shown)
        return [(" ".join(dict.fromkeys(names)), what) for what, names in keys.items()]


def _short(path: Path) -> str:
    """A path from the current folder or from home, if it is in there."""
    for base, sign in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(base) and path != base:
            return clean(sign + str(path.relative_to(base)))
    return clean(str(path))


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
    return LthApp(desk or Desk(root, specs), clock, preferences or Preferences())


def run_app(root: Path) -> int:
    """Run the app on this terminal until it is quit; return the exit code."""
    app = build_app(root, preferences=preferences.load())
    return app.run() or app.return_code or 0

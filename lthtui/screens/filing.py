"""What is done with spec files on screen: begin, copy, clone, save, and queue what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.binding import Binding

from lthtui.counting import counted
from lthtui.desk import Wish
from lthtui.drafts import Draft
from lthtui.messages import Act, Ask
from lthtui.screens.base import Watching
from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.enqueue import EnqueueScreen
from lthtui.screens.naming import NameScreen
from lthtui.text import clean_line

if TYPE_CHECKING:
    from engine.sources import Level
    from lthtui.prospect import Prospect

KEPT = "Nothing is written before it is saved."


class FilingScreen(Watching):
    """Keeps drafts of specs; a screen built on it shows them.

    Attributes:
        paths: of all files and drafts.
        path: of the draft in view.
        prospect: what its text would do; None while nobody knows.
        wanted: the path that is to come into view once it is listed.
        queueing: whether the draft in view is to be queued once it is saved and checked.
        back: by path, the place that a draft was asked for in, which escape leads back to.
    """

    BINDINGS = [
        Binding("f5", "queue", "Queue", id="specs.queue"),
        Binding("f2,s", "save", "Save", id="specs.save"),
        Binding("n", "begin", "New", id="specs.new"),
        Binding("c", "copy", "Copy spec", id="specs.copy"),
        Binding("delete", "discard", "Discard draft", show=False, id="specs.discard"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.drafts: dict[str, Draft] = {}
        self.paths: list[str] = []
        self.path: str | None = None
        self.prospect: Prospect | None = None
        self.wanted: str | None = None
        self.back: dict[str, str] = {}
        self.queueing = False

    @property
    def draft(self) -> Draft | None:
        """The draft in view."""
        return self.drafts.get(self.path or "")

    def show_draft(self, draft: Draft | None) -> None:
        """Bring a draft into view, or nothing."""

    def refill(self) -> None:
        """Show which drafts there are to save."""

    def check(self) -> None:
        """Find out what the draft in view would do, and `go_on`."""

    def list_files(self) -> None:
        """List the files again."""

    # ---- new ones

    def action_begin(self) -> None:
        """Begin a spec from a template."""
        detail = "It begins with every setting and its default, as `lthtui new` writes it."
        self._ask_name("Name of the new spec", ("", None), detail=detail)

    def action_copy(self) -> None:
        """Begin a spec with what is in the editor."""
        draft, taken = self.draft, list(self.drafts)
        if draft is None:
            return
        stem, text = draft.path.rpartition("/")[2].removesuffix(".yaml"), draft.text
        self.post_message(
            Ask(
                self,
                "copy",
                lambda desk: (desk.specs.suggest(stem, taken), text),
                partial(self._ask_name, f"Copy {stem} to"),
                leads=True,
            )  # fmt: skip
        )

    def clone(self, run_ids: Iterable[str], level: Level | None, back: str) -> None:
        """Begin a spec like that of runs that differ in nothing but their seeds.

        Args:
            level: train from the ticket of this level.
            back: the place to go back to, now if no spec is begun and else by escape.
        """
        ids, taken = [*run_ids], list(self.drafts)
        self.post_message(
            Ask(
                self,
                "clone",
                lambda desk: desk.specs.clone(ids, taken, level),
                partial(self._ask_name, _of_runs(ids, level), back=back),
                failed=lambda _: self._go(back),
                leads=True,
            )  # fmt: skip
        )

    def _ask_name(
        self, question: str, suggested: tuple[str, str | None], back: str = "", detail: str = KEPT
    ) -> None:
        """Ask what a text, or that of the template, is to be called, until there is such a name."""
        name, text = suggested

        def named(name: str | None) -> None:
            if name:
                again = partial(self._ask_name, question, (name, text), back, detail)
                self.post_message(
                    Ask(
                        self,
                        "new",
                        lambda desk: (
                            desk.specs.place(name),
                            desk.specs.template() if text is None else text,
                        ),
                        partial(self._start, back=back, again=again),
                        failed=lambda _: again(),
                        leads=True,
                    )  # fmt: skip
                )
            elif back:
                self._go(back)

        self.app.push_screen(NameScreen(question, detail, name), named)

    def _start(self, begun: tuple[str, str], back: str, again: Callable[[], None]) -> None:
        """Show a new spec, which is saved when somebody says so; ask `again` if there is one."""
        path, text = begun
        if path in self.paths:
            said = f"{clean_line(path)} exists already"
            self.notify(said, severity="error", markup=False)
            again()
            return
        self.drafts[path] = Draft(path, None, text)
        self.wanted = path
        self.list_files()
        if back:
            self.back[path] = back
            self.notify(f"not saved yet: f5 queues it, esc goes back to {back}", markup=False)

    def _go(self, place: str) -> None:
        """Go to another place."""
        self.call_later(self.run_action, f"app.go('{place}')")

    def action_discard(self) -> None:
        """Forget what was typed, after asking: show the file again, if there is one."""
        draft = self.draft
        if draft is None or not draft.modified:
            return
        detail = "What was typed is lost; the file stays as it is."
        if draft.disk is None:
            detail = "It was never saved: all of it is lost."

        def answered(yes: bool | None) -> None:
            if yes:
                self.drafts.pop(draft.path, None)
                self.path = None
                self.list_files()

        question = f"Discard the draft of {clean_line(draft.path)}?"
        self.app.push_screen(ConfirmScreen(question, detail, "Discard"), answered)

    # ---- saving

    def action_save(self) -> None:
        """Write the draft in view to its file."""
        if (draft := self.draft) is not None and draft.modified:
            self._save(draft)

    def _save(self, draft: Draft) -> None:
        path, text, disk = draft.path, draft.text, draft.disk
        self.post_message(
            Ask(
                self,
                "save",
                lambda desk: desk.specs.write(path, text, disk),
                partial(self._saved, path, text),
                leads=True,
            )  # fmt: skip
        )

    def _saved(self, path: str, text: str, other: str | None) -> None:
        """Say that a text is on disk, or that something else is."""
        if other is not None:
            self.queueing = False
            self._conflict(path, other)
            return
        self.drafts[path].disk = text
        self.refill()
        self.notify(f"{clean_line(path)} saved", markup=False)
        self.check()

    def _conflict(self, path: str, other: str) -> None:
        """Offer what is in a file now."""
        question = f"{clean_line(path)} changed on disk; it was left as it is"
        detail = (
            "Reload shows what is there now; what was typed here is lost. To keep both, say no,"
            " press esc and c, and save the copy."
        )

        def answered(yes: bool | None) -> None:
            if yes:
                self.show_draft(Draft(path, other, other))
                self.refill()

        self.app.push_screen(ConfirmScreen(question, detail, "Reload"), answered)

    # ---- queueing

    def action_queue(self) -> None:
        """Save the draft, check it, and ask whether its runs are to be queued."""
        draft, found = self.draft, self.prospect
        if draft is None:
            if found is not None:
                self._refuse(found)
            return
        self.queueing = True
        if draft.modified:
            self._save(draft)
        else:
            self.check()

    def go_on(self) -> None:
        """Ask whether to queue, now that it is known what that would do."""
        draft, found = self.draft, self.prospect
        if not self.queueing or draft is None or draft.modified or found is None:
            return
        self.queueing = False
        if not found.runs:
            self._refuse(found)
            return
        detail = "\n".join(
            [*found.brief[1:], "What is finished or under way already is not started twice."]
        )
        active = [run for run in self.board.runs.values() if run.active and run.directory]
        after = [(f"{run.name} {run.repetition}", run.run_id) for run in active]
        question = f"Queue {counted(found.runs, 'run')} of {clean_line(draft.path)}?"
        self.app.push_screen(
            EnqueueScreen(question, detail, after), partial(self._send, draft.path)
        )

    def _refuse(self, found: Prospect) -> None:
        """Say why what is in view cannot be queued."""
        why = found.problems[0].message if found.problems else "`lthtui search` runs it"
        said = f"{clean_line(self.path or 'this')} cannot be queued: {clean_line(why, 1000)}"
        self.notify(said, severity="error", markup=False)

    def _send(self, path: str, wish: Wish | None) -> None:
        if wish is not None:
            self.post_message(Act(lambda desk: desk.submit(path, wish), then=self.check))


def _of_runs(ids: Sequence[str], level: Level | None) -> str:
    """The question what a spec like that of these runs, one for each seed, is to be called."""
    name, others = clean_line(ids[0]), len(ids) - 1
    more = f" and {counted(others, 'other seed')}" if others else ""
    if level is None:
        return f"Clone {name}{more} as"
    own = ", each from its own, as" if others else " as"
    return f"Train from ticket {name}:{level}{more}{own}"

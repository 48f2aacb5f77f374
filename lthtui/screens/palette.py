"""What the command palette finds: actions with a key here, runs, specs and themes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape
from textual.widgets import Input

from lthtui import finding
from lthtui.board import GLYPHS
from lthtui.messages import RunWanted, SpecWanted
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.app import LthApp
    from lthtui.runview import RunView

MOST = 50  # runs that are offered at a time
REST = 0.1  # seconds without another letter before anything is looked for
BREATH = 200  # runs that are looked at before keys are
LONGEST, LOOK = 3.0, 0.02  # seconds that enter waits for the search, and between two looks at it


class PaletteScreen(CommandPalette):
    """The palette; a double click takes one offer, and Textual would leave what is below, too."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, unless an earlier click did."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    @on(Input.Submitted)
    async def _search_to_the_end(self) -> None:
        """Have Textual take an offer for all that is typed, and not one for its beginning."""
        end = time.monotonic() + LONGEST
        while time.monotonic() < end and any(
            one.node is self and not one.is_finished for one in self.workers
        ):
            await asyncio.sleep(LOOK)


@dataclass(frozen=True)
class Offer:
    """One line: what it is called, what it is, and what choosing it does."""

    name: str
    what: str
    act: Callable[[], object]
    bonus: float = 0.0


class Palette(Provider):
    """Offers what can be done and gone to from the screen in view; names are shown as text."""

    async def startup(self) -> None:
        """Begin to read which specs there are, once for each time that the palette is opened.

        Textual would cancel what takes longer here with the first search that is given up.
        """
        self._specs: list[str] = []
        self._reading = asyncio.create_task(self._read_specs())

    async def _read_specs(self) -> None:
        with suppress(OSError):  # the place of specs says what is wrong with them
            self._specs = await self._lth.answer(lambda desk: desk.specs.paths())

    async def discover(self) -> Hits:
        """All actions, before anything is typed."""
        for offer in self._actions():
            yield DiscoveryHit(Content(offer.name), offer.act, offer.name, escape(offer.what))

    async def search(self, query: str) -> Hits:
        """Whatever answers to what is typed; each letter gives up the search for those before."""
        await asyncio.sleep(REST)
        await asyncio.shield(self._reading)
        for offer in (*self._actions(), *self._themes(), *self._of_specs()):
            if (found := finding.match(query, offer.name)) is not None:
                yield self._hit(offer, found)
        best: list[tuple[finding.Match, RunView]] = []
        for count, run in enumerate(self._lth.board.runs.values(), start=1):
            if (found := finding.match(query, _named(run))) is not None:
                best.append((found, run))
            if count % BREATH == 0:
                await asyncio.sleep(0)
        best.sort(key=lambda one: -one[0].score)
        for found, run in best[:MOST]:
            yield self._hit(self._of_run(run), found)

    def _hit(self, offer: Offer, found: finding.Match) -> Hit:
        shown = Content(offer.name)
        for at in found.offsets:
            shown = shown.stylize(self.match_style or "", at, at + 1)
        score = min(found.score + offer.bonus, 1.0)
        return Hit(score, shown, offer.act, offer.name, escape(offer.what))

    @property
    def _lth(self) -> LthApp:
        return cast("LthApp", self.app)

    def _actions(self) -> Iterator[Offer]:
        """Every action that has a key on this screen, those that the key bar shows first."""
        every = self.screen.active_bindings.values()
        for active in sorted(every, key=lambda one: not one.binding.show):
            binding = active.binding
            if binding.id and binding.description and active.enabled:
                act = partial(self.app.run_action, binding.action, active.node)
                key = self.app.get_key_display(binding)
                yield Offer(binding.description, f"key {key}", act, bonus=0.1)

    def _themes(self) -> Iterator[Offer]:
        for name in sorted(self.app.available_themes):
            act = partial(setattr, self.app, "theme", name)
            yield Offer(f"Theme {name}", "colours", act)

    def _of_specs(self) -> Iterator[Offer]:
        for path in self._specs:
            act = partial(self.screen.post_message, SpecWanted(path))
            yield Offer(clean_line(path), "spec", act)

    def _of_run(self, run: RunView) -> Offer:
        act = partial(self.screen.post_message, RunWanted(run.run_id))
        what = f"{GLYPHS[run.status]} {run.status}"
        what += "" if run.foreign else f" · {run.sparsifier} on {run.dataset}"
        return Offer(_named(run), f"run {what}", act)


def _named(run: RunView) -> str:
    """What a run is called, and its id."""
    return f"{run.called}  {run.run_id}" if run.called else run.run_id

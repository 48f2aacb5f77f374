"""The colours of the app: its own theme, and the one that somebody chose."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from textual.theme import Theme

from engine.errors import UsageError, did_you_mean
from lthtui import state
from lthtui.legible import SEEN, legible
from lthtui.text import clean_line

OWN = Theme(
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


def chosen(wanted: str, available: Collection[str]) -> str:
    """The theme that was set, or else chosen last, or the app's own.

    Raises:
        UsageError: there is none of that name.
    """
    if wanted and wanted not in available:
        hint = did_you_mean(wanted, [*available])
        raise UsageError(f"there is no theme '{clean_line(wanted)}'{hint}")
    name = wanted or state.get("app", "theme")
    return name if name in available else OWN.name


def bordered(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a theme, with borders that are seen; what a terminal colours is left."""
    border, paper = variables["border-blurred"], variables["background"]
    own = border.startswith("#") and paper.startswith("#")
    return {**variables, "border-blurred": legible(border[:7], paper[:7], SEEN) if own else border}

"""Whose run it is: people who share an account are told apart by who queued what."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable

from engine.rundir import RunDirectory
from lthtui import identity
from lthtui.identity import Identity
from lthtui.text import clean_line

EVERYBODY = "*"


def of(run: RunDirectory, known: Identity | None = None) -> str:
    """Who queued a run last; empty where nothing says so, as in roots of older versions.

    Args:
        known: its identity, where that was read already.
    """
    if run.queue_file.exists():
        from lthtui.launch import entries  # here, as the app's first table does not wait for it

        if (entry := entries.find(run)) and entry.user:
            return entry.user
    if (launch := run.launch()) and launch.user:
        return launch.user
    try:
        return (known or identity.read(run)).user
    except (OSError, ValueError):
        return ""


def meant(whose: str, user: str | None) -> bool:
    """Whether what is `whose` is meant by `user`: None is oneself, `*` everybody.

    What names nobody counts as one's own.
    """
    from lthtui.launch import entries

    if user == EVERYBODY:
        return True
    wanted = entries.person() if user is None else user
    return whose == wanted or (not whose and wanted == entries.person())


def others(users: Iterable[str]) -> bool:
    """Whether somebody else is among these, so that it matters whose is what."""
    return not all(meant(user, None) for user in users)


def left_alone(users: Iterable[str], what: str) -> str | None:
    """What to say of what belongs to others and was not taken, and how to take it; None if nothing.

    Args:
        users: whose each of them is.
        what: the word for one of them.
    """
    count = Counter(users)
    if not count:
        return None
    names = [clean_line(shlex.quote(user)) for user in count]
    number = count.total()
    things, were = (f"{what}s", "were") if number > 1 else (what, "was")
    how = f"--user {names[0]}" if len(names) == 1 else f"--user NAME or --user '{EVERYBODY}'"
    listed = ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]
    verb = "takes them" if number > 1 else "takes it"
    return f"{number} {things} of {listed} {were} left alone; {how} {verb}"

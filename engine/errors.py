"""The errors a user can meet, each with the exit code it ends a program with.

LthError               1   a run started and failed
├── Inapplicable       0   an evaluation means nothing for a ticket; nothing has failed
├── SpecError          2   the spec asks for something impossible; nothing was started
├── DataError          2   images are missing, broken or inconsistent
│   └── NoSet          2   nothing of a data set is where it was looked for
├── UsageError         2   a command was given something that does not exist
├── Diverged           1   the loss became NaN or infinite
├── Damaged            1   a checkpoint or ticket does not match its checksums
├── Foreign            1   a file is not as this version of the program writes it
├── StoreError         1   the MLflow store is missing, locked, full or of another version
│   ├── StoreAway      1   it is out of reach, locked or full just now
│   │   └── HungUp     1   a server ended the connection before it had answered
│   └── StoreDenied    1   it refuses our credentials
├── Fenced             1   a newer attempt of the same run took over
└── Stopped           75   asked to stop; the run can be resumed

Every message says what is wrong, where, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence

OK, FAILED, USAGE, RESUMABLE, INTERRUPTED = 0, 1, 2, 75, 130
NO_ROOM = 74  # a worker that the full disk kept from saying so in its journal


class LthError(Exception):
    """Something that went wrong in a way the user can act on."""

    exit_code = FAILED


class Inapplicable(LthError):
    """An evaluation, as it is set, means nothing for a ticket; nothing has failed."""

    exit_code = OK


class SpecError(LthError):
    """The spec asks for something impossible; `at` is the dotted field, where one is to blame."""

    exit_code = USAGE

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class DataError(LthError):
    """Images are missing, broken or inconsistent."""

    exit_code = USAGE


class NoSet(DataError):
    """Nothing of a data set is where it was looked for."""


class UsageError(LthError):
    """A command was given something that does not exist."""

    exit_code = USAGE


class Diverged(LthError):
    """The loss became NaN or infinite."""


class Damaged(LthError):
    """A file does not match its checksum."""


class Foreign(LthError, ValueError):
    """A file is not as this version of the program writes it."""


class StoreError(LthError):
    """The MLflow store cannot be used."""


class StoreAway(StoreError):
    """The store cannot be used just now; the same may well succeed later.

    Attributes:
        later: seconds after which a server asked us to come back; 0 if it did not say.
    """

    def __init__(self, message: str, later: float = 0.0) -> None:
        super().__init__(message)
        self.later = later


class HungUp(StoreAway):
    """A server ended the connection before it had answered, such as one that was kept for long."""


class StoreDenied(StoreError):
    """A server refuses our credentials: asking again with the same may lock the account."""


class Fenced(LthError):
    """A newer attempt of this run has taken over; this one must stop writing."""


class Stopped(LthError):
    """The run was asked to stop and has saved a checkpoint."""

    exit_code = RESUMABLE


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first few names and how many more there are, for a line that must not run on."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def did_you_mean(word: str, known: list[str]) -> str:
    """Return `"; did you mean X?"`, the known words, or both, for an unknown word."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(known)}" if known else ""

"""What the queue process does with runs that have ended: tries them again, and tells MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from engine import causes
from engine.causes import Cause
from engine.rundir import RunDirectory, launched
from lthtui.launch import entries, retrying
from lthtui.launch.entries import Entry
from lthtui.launch.mirroring import Mirroring
from lthtui.launch.retrying import Retry
from lthtui.launch.slots import Holder

MEANWHILE = "goes on, as more evaluations were asked for when it was about to end"


class Aftermath:
    """Sees to runs that have ended.

    Args:
        tell: says something once in the queue process's log.

    Attributes:
        mirroring: what brings over into MLflow what workers left undone.
    """

    def __init__(self, root: Path, tell: Callable[[str], None]) -> None:
        self._root, self._tell = root, tell
        self.mirroring = Mirroring(root, tell)

    def see_to(self, directory: RunDirectory, was: Holder | Entry) -> bool:
        """Queue a run again that may yet succeed; False if there is no room on the disk for that.

        Args:
            was: what its place or its entry said of it.
        """
        try:
            with entries.locked(self._root):  # so that nobody asks it to stop meanwhile
                retry = retrying.due(directory)
                if retry is not None and not directory.queue_file.exists():
                    self._queue(directory, was, retry)
            self.mirroring.add(directory)
        except (OSError, ValueError) as error:
            self._tell(f"{directory.run_id} can't be looked after: {error}")
            return causes.of(error) != Cause.DISK
        return True

    def _queue(self, directory: RunDirectory, was: Holder | Entry, retry: Retry) -> None:
        why, launch = retrying.cause(directory), directory.spec().launch
        again = Entry(
            run_id=directory.run_id,
            order=time.time_ns(),
            priority=was.priority,
            visible=was.visible,
            user=was.user,
            host=entries.host(self._root),
            not_before=time.time() + retry.delay,
            retries=retry.retries,
            alone=retry.alone,
            attempt=launched(directory),
            launch=launch,
        )
        entries.write(self._root, again)
        count = f"{retry.retries} of {launch.retries}"
        when = f"{why}; tried again in {retry.delay:.0f} s ({count})" if why else MEANWHILE
        self._tell(f"{directory.run_id}: {when}")

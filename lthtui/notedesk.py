"""What the app does with what people note of runs, outside of the screen: as the commands do it.

Every method may take long and is called in a thread; what they return is to be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock

from engine import noted, schema
from engine.noted import Change
from engine.rundir import RunDirectory
from lthtui import notes
from lthtui.notes import Subject
from lthtui.runview import RunView
from lthtui.store import Store
from lthtui.text import clean_line
from lthtui.verbs import ask


class NoteDesk:
    """Changes notes, tags and names of runs of one root, with a folder or without.

    Args:
        store: where runs without a folder are, if not in the root's own; see `tracking`.
    """

    def __init__(self, root: Path, store: str | None = None) -> None:
        self._root, self._store = root, store
        self._telling = Lock()  # a store is told by one process at a time
        self._writing = Lock()  # what came first comes first, also while the root is locked

    def notes(self, runs: Sequence[RunView]) -> dict[str, str]:
        """By run id, the notes that runs have now."""
        return {notes.id_of(one): notes.fetch(one, ask).note for one in self._subjects(runs)}

    def changes(self, runs: Sequence[RunView]) -> dict[str, Mapping[str, Change]]:
        """By run id and tag, what was last changed through lthtui."""
        found = (RunDirectory(run.directory) for run in runs if run.directory)
        return {run.run_id: noted.read(run).changes for run in found}

    def revise(self, runs: Sequence[RunView], before: Mapping[str, str], text: str) -> str:
        """Replace notes that were as `before` says, by run id, when somebody began to edit them.

        Raises:
            UsageError: one is another by now; what was written is kept in a file.
        """
        with self._writing:
            subjects = self._subjects(runs)
            for one in subjects:
                was = before.get(notes.id_of(one), "")
                notes.revise(self._root, one, was, text, ask, self._store)
        return self._told(subjects, "noted" if text.strip() else "no note any more")

    def append(self, runs: Sequence[RunView], text: str) -> str:
        """Add a paragraph to the notes that runs have now."""
        with self._writing:
            subjects = self._subjects(runs)
            for one in subjects:
                notes.append(self._root, one, text, ask, self._store)
        return self._told(subjects, "noted")

    def tag(self, runs: Sequence[RunView], changes: Mapping[str, str | None]) -> str:
        """Set people's own tags, or remove those that are None."""
        gone = all(value is None for value in changes.values())
        return self._change(self._subjects(runs), changes, "untagged" if gone else "tagged")

    def rename(self, runs: Sequence[RunView], name: str) -> str:
        """Have runs shown by a name, or by their own again if it is empty.

        Raises:
            UsageError: MLflow would not take it, or a run has no name of its own.
        """
        subjects = self._subjects(runs)
        changes = notes.name_of(name, subjects)
        shown = changes[schema.NAME]
        what = f"shown as {clean_line(shown)}" if shown else "shown by the own name again"
        return self._change(subjects, changes, what)

    def archive(self, runs: Sequence[RunView], aside: bool) -> str:
        """Have lists leave runs out, or show them again."""
        what = "archived; H among the runs shows it" if aside else "listed again"
        changes = {schema.ARCHIVED: "true" if aside else None}
        return self._change(self._subjects(runs), changes, what)

    def _subjects(self, runs: Sequence[RunView]) -> list[Subject]:
        """What the commands change: folders, or runs that only the store knows."""
        found: list[Subject] = [
            RunDirectory.open(Path(run.directory)) for run in runs if run.directory
        ]
        stored = {run.stored for run in runs if not run.directory}
        if stored:
            with closing(Store(self._store or self._root)) as store:
                found += store.only(stored)
        return found

    def _change(
        self, subjects: Sequence[Subject], tags: Mapping[str, str | None], what: str
    ) -> str:
        with self._writing:
            notes.change(self._root, subjects, tags, self._store)
        return self._told(subjects, what)

    def _told(self, subjects: Sequence[Subject], what: str) -> str:
        """Tell MLflow of what was changed; what became of it."""
        with self._telling:
            why = notes.tell(subjects, ask)
        who = (
            clean_line(notes.id_of(subjects[0])) if len(subjects) == 1 else f"{len(subjects)} runs"
        )
        late = (f"kept here; MLflow is told later: {said}" for said in dict.fromkeys(why.values()))
        return "\n".join([f"{who}: {what}", *late])

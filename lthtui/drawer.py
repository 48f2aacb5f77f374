"""The spec files of a folder, for the app: read, begin, clone and write them, say what they do.

As the desk's, its methods may take long, are called in threads, and import in there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lthtui import drafts, specpaths

if TYPE_CHECKING:
    from engine.sources import Level
    from lthtui.prospect import Prospect
    from lthtui.runspec import RunTexts
    from lthtui.runview import RunView

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Drawer:
    """Works on one folder of specs for one root."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root.absolute(), folder

    def paths(self) -> list[str]:
        """Paths of the spec files that there are."""
        return [str(path) for path in specpaths.within(self._folder)]

    def read(self, path: str) -> str | Prospect:
        """The text of a file, or why it cannot be shown; see `drafts.read`."""
        from engine.errors import UsageError
        from lthtui.prospect import Prospect
        from lthtui.yamlfile import Problem

        try:
            return drafts.read(path)
        except UsageError as error:
            return Prospect("", (Problem(path, str(error)),))

    def write(self, path: str, text: str, before: str | None) -> str | None:
        """Save a text; as `drafts.write`."""
        return drafts.write(path, text, before)

    def suggest(self, stem: str, taken: Sequence[str]) -> str:
        """A name for another spec that no file has and none of those taken."""
        return drafts.free(self._folder, stem, list(taken))

    def place(self, name: str) -> str:
        """Where a spec of this name belongs.

        Raises:
            UsageError: it is no name.
        """
        from engine.errors import UsageError

        stem = name.strip().removesuffix(".yaml")
        if not _NAME.fullmatch(stem):
            raise UsageError("a name consists of letters, digits, '.', '_' and '-'")
        return str(self._folder / f"{stem}.yaml")

    def template(self) -> str:
        """A commented spec to start from."""
        from lthtui.template import template

        return template({})

    def clone(
        self, run_ids: Iterable[str], taken: Sequence[str], level: Level | None = None
    ) -> tuple[str, str]:
        """A name for a spec like that of runs, as `suggest`, and its text, as `cloning.clone`.

        Args:
            level: go on from the ticket of this level, as `resuming.resume`.
        """
        from engine.rundir import RunDirectory
        from lthtui import cloning, resuming

        runs = [RunDirectory.open(self._root / "runs" / Path(one).name) for one in run_ids]
        if level is None:
            return self.suggest(runs[0].spec().name, taken), cloning.clone(runs)
        text = resuming.resume(self._root, runs, level)
        return self.suggest(resuming.stem(runs[0], level), taken), text

    def of_run(self, run: RunView) -> RunTexts:
        """The spec of a run; as `runspec.of_run`, or what MLflow has of it."""
        from engine.rundir import RunDirectory
        from lthtui import runspec

        if not run.directory:
            return runspec.of_params(run.params)
        return runspec.of_run(RunDirectory.open(Path(run.directory)), self.paths())

    def look(
        self, path: str, text: str, disk: str | None, past: Iterable[RunView] = ()
    ) -> Prospect:
        """What a text would do; as `prospect.prospect`."""
        from lthtui.prospect import prospect

        return prospect(self._root, path, text, disk, past)

    def sketch(self, path: str) -> Prospect:
        """What a file would do, but for what it would cost; also of a file that cannot be read."""
        text = self.read(path)
        return self.look(path, text, text) if isinstance(text, str) else text

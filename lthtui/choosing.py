"""What `lthtui compare` is told to compare: runs, groups, experiments and spec files, as runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import identity, labels, runnames
from lthtui.identity import Identity
from lthtui.runview import RunView
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.yamlfile import Document, Problem

LEAST = labels.SHORT  # characters of a group's id that name it
_GIVEN = {
    "tickets": ("sparsifier", "source"),
    "images": ("data", "examples"),
    "weights": ("start", "ticket"),
}


@dataclass
class Chosen:
    """Runs, each once in a group, in the order in which they were named.

    Attributes:
        runs: by run and group.
        notes: what is not there.
    """

    runs: dict[tuple[str, str], RunView] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def choose(
    root: Path, known: Iterable[RunView], words: Sequence[str], changes: Sequence[str] = ()
) -> Chosen:
    """The runs that are meant: a spec file's, an experiment's, a spec name's, a group's, or one.

    Args:
        changes: overrides of the spec files, as they were run with.

    Raises:
        UsageError: a word means none of these, or several runs; overrides without a spec file.
        FileError: something is wrong in a spec file or an override.
    """
    if changes and not any(map(_is_spec, words)):
        raise UsageError(f"{changes[0]}: overrides go with a spec file, and none is named")
    oldest_first = sorted(known, key=lambda run: (run.created, run.run_id))
    chosen = Chosen()
    for word in words:
        found = _of_spec(oldest_first, word, changes, chosen) if _is_spec(word) else None
        if found is None:
            found = _named(root, oldest_first, word)
            chosen.notes += _short(oldest_first, word, found)
        chosen.runs |= {(run.run_id, run.group): run for run in found}
    return chosen


def standing(known: Iterable[RunView]) -> Iterator[RunView]:
    """Runs as what they were made as, and once more for all else that they stand for."""
    for run in known:
        yield run
        for one in identity.others(RunDirectory(run.directory)) if run.directory else ():
            yield replace(
                run,
                name=clean_line(one.name),
                experiment=clean_line(one.experiment),
                group=one.group,
                family=one.family,
                controls=one.controls,
            )


def labelled(runs: Iterable[RunView]) -> dict[str, str]:
    """By group, its method and what else tells it from the other groups."""
    first = _first(runs)
    known = labels.by_method(_asked(first))
    return {
        g: known.get(g, f"{run.sparsifier or run.name} {g[:LEAST]}") for g, run in first.items()
    }


def given(runs: Iterable[RunView]) -> dict[str, set[str]]:
    """By group, what of other runs its runs start from: tickets, images or weights."""
    return {
        group: {what for what, (block, name) in _GIVEN.items() if spec.get(block, {}).get(name)}
        for group, spec in _asked(_first(runs)).items()
    }


def _first(runs: Iterable[RunView]) -> dict[str, RunView]:
    first: dict[str, RunView] = {}
    for run in runs:
        first.setdefault(run.group, run)
    return first


def _asked(first: Mapping[str, RunView]) -> dict[str, Mapping[str, Any]]:
    """By group, what its spec asks for besides defaults; of those that can be read."""
    found = {group: _spec(run) for group, run in first.items()}
    return {group: spec for group, spec in found.items() if spec}


def _spec(run: RunView) -> Mapping[str, Any]:
    """What a run's spec asks for; empty where that is not known."""
    if not run.directory:
        told = identity.told(run.asked)
        return labels.chosen(told, run.params) if told else {}
    known = (one for one in _known_as(run) if one.group == run.group)
    return next((labels.chosen(one.asked, one.params) for one in known), {})


def _known_as(run: RunView) -> list[Identity]:
    """All that a run with a folder stands for; nothing where there is no spec to read."""
    directory = RunDirectory(run.directory)
    try:
        return [identity.read(directory), *identity.others(directory)]
    except (OSError, ValueError):
        return []


def _is_spec(word: str) -> bool:
    path = Path(word)
    return path.suffix in (".yaml", ".yml") or path.is_file() or (path / "spec.yaml").is_file()


def _of_spec(
    known: Sequence[RunView], word: str, changes: Sequence[str], chosen: Chosen
) -> list[RunView]:
    """The runs that a spec file asks for, as far as they were made; of a search its experiment."""
    # here, as the app's first table waits for none of these
    from lthtui import specfiles, specpaths
    from lthtui.yamlfile import FileError

    document, stem = specpaths.read(word)
    try:
        expansion = specfiles.expand_document(document, stem, changes)
    except FileError as error:
        hints = _without_images(known, word, document, stem)
        raise FileError([*error.problems, *hints] if error.absent else error.problems) from None
    if expansion.search is not None:
        experiment = expansion.runs[0].spec.experiment_name
        return [run for run in known if run.experiment == experiment]
    asked = [(run.spec.group, run.spec.repetition) for run in expansion.runs]
    found = [run for key in asked for run in known if (run.group, run.repetition) == key]
    missing = len(asked) - len({(run.group, run.repetition) for run in found})
    if missing:
        made = f"{missing} of its {len(asked)} runs were never started; `lthtui run {word}`"
        chosen.notes.append(f"{word}: {made}")
    return found


def _without_images(
    known: Sequence[RunView], word: str, document: Document, stem: str
) -> Iterator[Problem]:
    """How to name a spec file's runs where its images are not: which run is whose depends on them.

    They may also be elsewhere than when it was run.
    """
    from lthtui.yamlfile import Problem

    name = document.data.get("name") or stem
    experiment = document.data.get("experiment") or name
    if any(run.experiment == experiment for run in known):
        what = f"runs of the experiment {experiment} are here: name that instead of the file"
        yield Problem(word, f"{what}, or say where its images are now: data.root=FOLDER")


def _named(root: Path, known: Sequence[RunView], word: str) -> list[RunView]:
    for members in _sets(known, word):
        if members:
            return members
    if any(run.run_id == word for run in known):
        return [run for run in known if run.run_id == word][:1]
    ours = (run for run in known if run.stored)
    stored = {run.run_id: run for run in ours if word == run.display_name or word in run.run_id}
    if len(stored) == 1:
        return [*stored.values()]
    (directory,) = runnames.find(root, [word])
    return [run for run in known if run.run_id == directory.run_id][:1]


def _short(known: Sequence[RunView], word: str, found: Sequence[RunView]) -> Iterator[str]:
    """A word that begins a group's id, but was too short to name the group."""
    groups = {run.group for run in known if run.group.startswith(word)}
    if len(word) < LEAST and len(groups) == 1 and len(found) == 1:
        if sum(run.group in groups for run in known) > 1:
            yield f"{word} names the run {found[0].run_id}; {LEAST} characters name its group"


def _sets(known: Sequence[RunView], word: str) -> Iterator[list[RunView]]:
    yield [run for run in known if run.experiment == word]
    yield [run for run in known if run.name == word]
    if len(word) >= LEAST:
        yield [run for run in known if run.group.startswith(word)]
    if not known:
        raise UsageError("there are no runs yet; `lthtui run SPEC` makes one")

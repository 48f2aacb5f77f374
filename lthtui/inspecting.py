"""Has the worker program look at every image of a data set that somebody means."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import registry
from engine.errors import UsageError, did_you_mean
from engine.plugin import Settings
from engine.recognising import recognise
from engine.spec import RunSpec
from lthtui import listed, overrides, settings, specpaths, yamlfile
from lthtui.picture import Picture
from lthtui.specerrors import explain
from lthtui.text import clean_line
from lthtui.verbs import ask
from lthtui.yamlfile import FileError, Problem

AS_SPEC = "spec"  # for an augmentation: the one that the spec has
# what a spec needs besides its images; `select` so that it may do without validation images
Told = Callable[[int, int], None]
REST = {"name": "inspect", "model": "resnet20", "select": {"split": "test"}}


def meant(
    what: str, changes: Sequence[str], augmentation: str | None
) -> tuple[Settings, Settings | None]:
    """The data set that somebody means, and the augmentation.

    Args:
        what: a name of a data set, a folder or .npz file, or a spec.
        changes: overrides of the data set's settings, with or without `data.`.
        augmentation: a name or block as in a spec, or `spec`; None for none.

    Raises:
        DataError: the folder is no data set that is known.
        FileError: a setting is wrong.
        UsageError: there is no such data set, folder or spec.
    """
    tree, wanted = _tree(what), [change.removeprefix("data.") for change in changes]
    for change in overrides.read_all(wanted):
        if change.sweeps:
            raise UsageError(f"{'.'.join(map(str, change.path))} takes one value to look at")
        at = tree["data"]
        for key in change.path[:-1]:
            if not isinstance(at.get(key), dict):
                at[key] = {}
            at = at[key]
        at[change.path[-1]] = change.values[0].data
    if augmentation != AS_SPEC:
        tree.pop("augmentation", None)
        if augmentation is not None:
            tree["augmentation"] = yamlfile.parse(augmentation, "--augment", True).data
    spec = listed.resolve(_spec({**REST, **tree}, what), settings.root())
    return spec.data, None if augmentation is None else spec.augmentation


def _tree(what: str) -> dict[str, Any]:
    """The part of a spec that says which images are meant."""
    path = Path(what)
    if what in registry.names("datasets"):
        return {"data": {"name": what}}
    if path.suffix == ".npz" or (path.is_dir() and not (path / "spec.yaml").is_file()):
        if not path.exists():
            raise UsageError(f"{what}: no such file")
        return {"data": {"name": recognise(path), "root": what}}
    try:
        document, _ = specpaths.read(what)
    except UsageError:
        hint = "" if "/" in what else did_you_mean(what, registry.names("datasets"))
        raise UsageError(
            f"{clean_line(what)} is no data set, no folder and no spec{hint}"
        ) from None
    data = document.data.get("data")
    if not isinstance(data, str | dict):
        raise UsageError(f"{document.source} does not say which data set it uses")
    found = {"data": {"name": data} if isinstance(data, str) else dict(data)}
    shown = document.data.get("augmentation")
    return found | ({"augmentation": shown} if shown is not None else {})


def _spec(tree: dict[str, Any], source: str) -> RunSpec:
    try:
        return RunSpec.model_validate(tree)
    except ValidationError as error:
        found = explain(error, tree, ())
        lines = [f"{'.'.join(map(str, one.path))}: {one.message}" for one in found]
        raise FileError([Problem(clean_line(source), line) for line in lines]) from None


def look(
    data: Settings,
    augmentation: Settings | None,
    sheet: Path | None,
    per_class: int | None,
    seed: int,
    told: Told | None = None,
) -> tuple[dict[str, Any], list[Picture]]:
    """Have the worker program read all images; the report, and small pictures of some.

    Args:
        told: gets, every second, how many images have been read, and how many there are.

    Raises:
        LthError: as it says.
    """
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        strip, asked, progress = (Path(folder) / one for one in ("strip.png", "asked.json", "read"))
        parts = {"data": data, "augmentation": augmentation}
        dumped = {key: one and one.model_dump(mode="json") for key, one in parts.items()}
        files = {"sheet": sheet and str(sheet.absolute()), "strip": str(strip)}
        files["progress"] = str(progress) if told else None
        asked.write_text(json.dumps({**dumped, **files, "per_class": per_class, "seed": seed}))
        report = ask(["inspect", str(asked)], _passed_on(progress, told) if told else None)
        return report, _cut(strip)


def _passed_on(progress: Path, told: Told) -> Callable[[int], None]:
    """Tells, whenever it is called, what the worker program has noted."""

    def meanwhile(process: int) -> None:
        noted = progress.read_text().split() if progress.exists() else []
        if len(noted) == 2:  # it may be about to write it anew
            told(int(noted[0]), int(noted[1]))

    return meanwhile


def _cut(strip: Path) -> list[Picture]:
    """The pictures of a strip, which are squares side by side."""
    from PIL import Image

    with Image.open(strip) as whole:
        side = whole.height
        return [
            Picture(side, side, (side, side), whole.crop((at, 0, at + side, side)).tobytes())
            for at in range(0, whole.width, side)
        ]

"""Commands about data sets: list, get, inspect."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import FAILED, OK, DataError, UsageError, did_you_mean
from lthtui import completion, overrides
from lthtui.commands import Json
from lthtui.commands.saying import say
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from lthtui.heat import Line

Folder = Annotated[
    Path, typer.Option("--root", help="The folder of all data sets, as data.root in a spec.")
]
DATA = Path("data")


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(
        help="List data sets, download them, look at what they hold.", no_args_is_help=True
    )
    group.command("list")(list_)
    group.command()(get)
    group.command()(inspect)
    app.add_typer(group, name="data")


def list_(root: Folder = DATA, as_json: Json = False) -> None:
    """List the data sets that a spec may name: what they hold, whether they are here.

    Images are counted as training + test images of the split that is used.
    """
    from lthtui import datalist

    found = [datalist.known(name, root) for name in datalist.names()]
    if as_json:
        typer.echo(json.dumps([one.describe() for one in found], indent=2))
        return
    for one in found:
        for line in one.lines():
            typer.echo(line)
    for one in found:
        if one.problem:
            say(f"{one.name} is incomplete: {one.problem}")


def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            autocompletion=completion.data_sets,
            help="As `lthtui data list` has it.",
        ),
    ],
    root: Folder = DATA,
    as_json: Json = False,
) -> None:
    """Download a data set, verify and unpack it; a download that was cut off goes on.

    What has to be got by hand is said. Archives that are put into ROOT/.downloads/NAME by hand are
    taken from there.
    """
    from lthtui import datalist, getting
    from lthtui.datasources import SOURCES
    from lthtui.transfers import Transfers

    if name not in datalist.names():
        hint = did_you_mean(name, datalist.names())
        raise UsageError(f"no data set '{clean_line(name)}'{hint}")
    found = datalist.known(name, root)
    put: list[Path] = []
    if not found.here and (source := SOURCES.get(name)):
        told = Transfers()
        try:
            put = getting.get(name, source, root, told)
        finally:
            told.close()
        found = datalist.known(name, root)
    if not found.here:
        raise DataError(found.problem or _by_hand(name, root))
    if as_json:
        typer.echo(json.dumps({**found.describe(), "put": [str(path) for path in put]}, indent=2))
        return
    for path in put:
        typer.echo(clean(str(path)))
    say(f"{name} is in {root}" if put else f"{name} is there already")


def inspect(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME|FOLDER|SPEC [FIELD=VALUE]...",
            autocompletion=completion.images,
            help="A data set by its name, a folder of images or an .npz file, or a spec; and"
            " settings such as fraction=0.01 or root=FOLDER.",
        ),
    ],
    root: Annotated[
        Path | None, typer.Option("--root", help="The same as root=FOLDER, for a NAME.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the pictures to this PNG file.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            autocompletion=completion.augmentations,
            help="Show what this augmentation does: a name, a block such as '{name: rand, n: 2}',"
            " or `spec` for that of the spec.",
        ),
    ] = None,
    per_class: Annotated[
        int | None, typer.Option(min=1, max=100, help="Pictures of each class in the PNG file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the augmentation's draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Read every image of a data set: counts, sizes, broken files, duplicates, pictures.

    Counts are those that training would use. It ends with 1 if an image cannot be read.
    """
    from lthtui import inspected, inspecting

    names, changes = overrides.separate(arguments)
    if len(names) != 1:
        raise UsageError(f"inspect takes one data set, folder or spec; {len(names)} given")
    where = [f"root={json.dumps(str(root))}"] if root else []
    data, augmentation = inspecting.meant(names[0], [*where, *changes], augment)
    say(f"reading {clean_line(data.name)} ...")
    with _progress() as told:
        report, pictures = inspecting.look(data, augmentation, output, per_class, seed, told)
    rows, code = report.pop("shown"), FAILED if report["broken_images"] else OK
    if as_json:
        typer.echo(json.dumps({"data": data.model_dump(mode="json"), **report}, indent=2))
        raise typer.Exit(code)
    size = shutil.get_terminal_size()
    for line in inspected.lines(report, size.columns):
        typer.echo(_plain(line))
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        show = inspected.draws if augmentation else inspected.gallery
        _draw(show(rows, pictures, size.columns, size.lines))
    for warning in report["warnings"]:
        say(clean_line(warning, 1000))
    if output:
        drawn = "; in the first column as they are, behind it as training would see them"
        say(f"the pictures are in {output}{drawn if augmentation else ''}")
    raise typer.Exit(code)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """What is told how many images of how many have been read, and shows it on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, whole: shown.update(task, completed=done, total=whole)


def _draw(lines: Iterable[Line]) -> None:
    """Write coloured lines to a terminal."""
    from rich.console import Console
    from rich.style import Style
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    for line in lines:
        styled = (
            (_plain(span.text), Style(color=span.tone or None, bgcolor=span.paper or None))
            for span in line
        )
        console.print(Text.assemble(*styled), no_wrap=True, crop=True)


def _plain(line: str) -> str:
    """A line in the signs that the user's terminal has."""
    from lthtui import preferences, signs

    return signs.plain(line) if preferences.load().ascii else line


def _by_hand(name: str, root: Path) -> str:
    """What to do for a data set that nothing is downloaded of."""
    from lthtui import datalist

    try:
        datalist.described(name, root)
    except DataError as error:
        return str(error)
    return f"{name} is a layout of your own images; let data.root name their folder"

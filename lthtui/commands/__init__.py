"""The commands of `lthtui`, one file per group: each has `register(app)`; options they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lthtui import completion

Root = Annotated[
    Path | None,
    typer.Option("--root", help="Root of all state; LTHTUI_ROOT and ./mlruns otherwise."),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
Specs = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC... [FIELD=VALUE]...",
        autocompletion=completion.specs,
        help="Spec files, run folders or names in specs/, and overrides such as train.epochs=9 or"
        " sparsifier.rate=0.1,0.2 (a sweep).",
    ),
]

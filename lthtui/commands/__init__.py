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
Tracking = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        help="Browse this MLflow store, not the root's: http(s)://..., sqlite:///FILE or a path;"
        " by default LTHTUI_TRACKING_URI. MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN, let"
        " in.",
    ),
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

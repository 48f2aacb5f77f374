"""The command that shows the app in a browser: serve."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from typing import Annotated

import typer

from engine.errors import UsageError
from lthtui import settings, tracking
from lthtui.commands import Root, Tracking
from lthtui.commands.store import tunnel
from lthtui.text import clean, clean_line


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(serve)


def serve(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Port; the first free one from 8000 by default."),
    ] = None,
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """Show the app in a browser, until Ctrl-C; runs go on.

    Only this machine reaches it. Whoever knows the address controls your runs: it has a secret in
    it, a new one each time.
    """
    if find_spec("textual_serve") is None:
        raise UsageError(
            "`lthtui serve` needs textual-serve; `pip install 'lthtui[serve]'` adds it"
        )
    from lthtui import serving

    folder = settings.use(root)
    if tracking_uri is not None:
        os.environ[tracking.VARIABLE] = tracking_uri  # for the apps
    browsed = tracking.browsed(folder)
    shown = tracking.called(browsed) if browsed else clean_line(str(folder))
    try:
        listening = serving.listen(port)
    except OSError as error:
        why = f"port {port or serving.FIRST_PORT} of {serving.HOST}: {error.strerror}"
        raise UsageError(f"{clean_line(why)}; choose another with --port") from None

    output = sys.stdout

    def announce(address: str) -> None:
        used = str(listening.getsockname()[1])
        typer.echo(
            f"The app shows {shown} at this address; Ctrl-C ends it, and no run."
            " Whoever has the address controls the runs.",
            err=True,
        )
        typer.echo(f"From another machine, first: {tunnel(used)}", err=True)
        typer.echo(address, file=output)

    with redirect_stdout(_Told()):
        serving.serve(listening, f"lthtui {shown}", announce)


class _Told(io.TextIOBase):
    """Narrates what apps said when they ended."""

    def write(self, text: str) -> int:
        """Write it as a terminal may show it."""
        typer.echo(clean(text), nl=False, err=True)
        return len(text)

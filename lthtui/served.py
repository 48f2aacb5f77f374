"""The app for one page of `lthtui serve`, which ends with the server, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the app; `TEXTUAL_DRIVER` says that its terminal is a page."""
    server = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server:  # it was killed just before
        return 1
    from lthtui import settings
    from lthtui.app import run_app

    return run_app(settings.root())


if __name__ == "__main__":
    sys.exit(main())

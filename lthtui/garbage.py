"""When Python looks for garbage: not before the app shows its runs, and not among what stays.

Looking through all that was imported takes a tenth of the time until the first frame; afterwards,
it would be done again and again while somebody types.
"""

from __future__ import annotations

import gc


def wait() -> None:
    """Look for none until `begin`."""
    gc.disable()


def begin() -> None:
    """Look for what becomes garbage from now on, if that was waited with."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

"""Calls that nobody has to wait for: each is made in a thread of its own, and can be left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from engine.errors import StoreAway


class Abandonable:
    """Stands for an object whose methods may take long; those under way end with `leave`.

    A method raises StoreAway when it is left alone; what it was doing goes on unseen.
    """

    def __init__(self, of: object) -> None:
        self._of = of
        self._lock = threading.Lock()
        self._left = False
        self._waiting: set[threading.Event] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._of, name))

    def leave(self) -> None:
        """Wait for nothing from now on."""
        with self._lock:
            self._left = True
            for done in self._waiting:
                done.set()

    def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        done, outcome = threading.Event(), list[tuple[Any, BaseException | None]]()

        def work() -> None:
            try:
                outcome.append((method(*arguments, **options), None))
            except BaseException as error:
                outcome.append((None, error))
            done.set()

        with self._lock:
            if self._left:
                raise StoreAway("the store was let go of")
            self._waiting.add(done)
        threading.Thread(target=work, daemon=True).start()
        done.wait()
        with self._lock:
            self._waiting.discard(done)
        if not outcome:
            raise StoreAway("the store was let go of")
        answer, error = outcome[0]
        if error is not None:
            raise error
        return answer

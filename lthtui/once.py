"""Attributes that are made when somebody first wants them, once, whichever threads want them."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar

_Made = TypeVar("_Made")


class Once(Generic[_Made]):
    """Decorates a method as `functools.cached_property` does, which may make two of a thing.

    What is made is kept in the `__dict__` of its owner, where it may be looked for.
    """

    def __init__(self, make: Callable[[Any], _Made]) -> None:
        self._make, self._name = make, make.__name__
        self._lock = RLock()
        self.__doc__ = make.__doc__

    def __get__(self, owner: Any, kind: type[Any]) -> _Made:
        with self._lock:
            made = vars(owner)
            if self._name not in made:
                made[self._name] = self._make(owner)
            found: _Made = made[self._name]
            return found

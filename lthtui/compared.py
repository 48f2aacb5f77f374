"""What was compared last, and how: the place for comparing goes on with it in later sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lthtui import state
from lthtui.contrast import SPLITS
from lthtui.sides import DRAWN, Asked
from lthtui.significance import TESTS

SECTION = "compared"  # of what is remembered


@dataclass(frozen=True)
class Compared:
    """Groups side by side, as they are chosen.

    Attributes:
        keys: of groups and runs, as `marks.whole` gives them.
        whole: whether settings are shown that are the same in all.
    """

    keys: tuple[str, ...] = ()
    asked: Asked = Asked()
    whole: bool = False

    @classmethod
    def load(cls, dumped: object) -> Compared:
        """From JSON, as of `asdict`; what is damaged, or of a newer version, is as by default."""
        found = dumped if isinstance(dumped, Mapping) else {}
        keys, asked = found.get("keys"), found.get("asked")
        return cls(
            tuple(one for one in keys if isinstance(one, str)) if isinstance(keys, list) else (),
            _asked(asked if isinstance(asked, Mapping) else {}),
            found.get("whole") is True,
        )


def recall(about: str) -> Compared:
    """What was compared last of a root or a store."""
    return Compared.load(state.get(SECTION, about))


def remember(about: str, compared: Compared) -> None:
    """Keep it for later sessions.

    Raises:
        OSError: it cannot be written.
    """
    state.put(SECTION, about, asdict(compared))


def _asked(found: Mapping[str, Any]) -> Asked:
    baseline, level = found.get("baseline"), found.get("level")
    return Asked(
        baseline=baseline if isinstance(baseline, str) else Asked.baseline,
        test=next((one for one in TESTS if one == found.get("test")), Asked.test),
        split=next((one for one in SPLITS if one == found.get("split")), Asked.split),
        drawn=next((one for one in DRAWN if one == found.get("drawn")), Asked.drawn),
        level=level if type(level) is int and level >= Asked.level else Asked.level,
    )

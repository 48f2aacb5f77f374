"""The criteria of reliability, and the tests that show that each is met."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """One criterion.

    Attributes:
        tests: as pytest names them, without parameters.
        note: what of it is not tested, and why.
    """

    number: int
    title: str
    tests: tuple[str, ...]
    note: str = ""


CRITERIA = (
    Criterion(
        19,
        "two queue processes or clients at once: no run starts twice, no exclusive place is shared",
        (
            "tests/faults/test_interleavings.py::test_a_few_interleavings",
            "tests/faults/test_interleavings.py::test_a_thousand_interleavings",
        ),
    ),
)

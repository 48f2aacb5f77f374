"""Runs the tests of the criteria of reliability: `uv run python tests/faults [--long] [NUMBER...]`.

They are those of `criteria.py`, wherever they are in the tests. Without numbers all run; without
`--long` only the short ones do. `--write` renews results.json and RESULTS.md beside this file.
"""

from __future__ import annotations

import argparse
import sys

import pytest
from criteria import CRITERIA, LAUNCH, TESTS


def main() -> int:
    """Run them; pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER")
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument("--write", action="store_true", help="renew RESULTS.md")
    options = parser.parse_args()
    chosen = [c for c in CRITERIA if not options.numbers or c.number in options.numbers]
    if options.long and not options.numbers:
        chosen.append(LAUNCH)
    names = dict.fromkeys(name for criterion in chosen for name in criterion.names)
    which = "" if options.long else "not fault and not benchmark"
    arguments = [f"--rootdir={TESTS.parent}", "-c", str(TESTS.parent / "pyproject.toml")]
    arguments += ["-q", "-m", which, *(["--write-results"] if options.write else [])]
    names = [f"{TESTS.parent}/{name}" for name in names]
    return pytest.main([*arguments, str(TESTS / "faults" / "test_criteria.py"), *names])


if __name__ == "__main__":
    sys.exit(main())

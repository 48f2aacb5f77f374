"""Fixtures shared by all tests."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def real_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cifar-10-batches-bin/, eurosat/ and isic2018/, laid out as users have them."""
    script = SHARED / "data" / "unpack.py"
    if not script.is_file():
        pytest.skip(f"the real image sets are not here ({script.parent})")
    folder = tmp_path_factory.mktemp("images")
    arguments, sys.argv = sys.argv, [str(script), str(folder)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = arguments
    return folder

"""Fixtures for what runs beside lthtui."""

from __future__ import annotations

import pytest
from staging import staged


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A root whose workers play scripts; `play` says what they do."""
    yield from staged(tmp_path, monkeypatch)

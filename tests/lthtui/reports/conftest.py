"""What tests of reports have in common."""

import pytest
from reported import Made


@pytest.fixture
def made(tmp_path):
    """Makes runs, what was evaluated of them, and subjects of reports."""
    return Made(tmp_path)

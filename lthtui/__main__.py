"""`python -m lthtui` is `lthtui`."""

from __future__ import annotations

import sys

from lthtui.cli import main

sys.exit(main())

"""The worker program: `python -P -m engine RUN_DIR`, and the verbs that need torch or MLflow."""

from __future__ import annotations

import sys

from engine import verbs

if __name__ == "__main__":
    sys.exit(verbs.main(sys.argv[1:]))

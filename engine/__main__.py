"""The worker program: `python -P -m engine RUN_DIR`, and the verbs that need torch or MLflow."""

from __future__ import annotations

import os
import sys

from engine import verbs

if __name__ == "__main__":
    code = verbs.main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is on the disk: taking torch and MLflow down would hold a device for it

"""What of the environment decides whether an MLflow server, and its store of files, lets us in.

Workers get the environment of the queue process, so that one started without a token is replaced
by a client that has one.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.processes import Process

_MLFLOW = (
    *("USERNAME", "PASSWORD", "TOKEN", "AUTH", "AWS_SIGV4"),
    *("INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH"),
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_FILES = (  # where a server keeps files elsewhere, the client uploads them itself
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("AWS_DEFAULT_REGION", "MLFLOW_S3_ENDPOINT_URL", "MLFLOW_S3_IGNORE_TLS"),
    *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCESS_KEY"),
    "GOOGLE_APPLICATION_CREDENTIALS",
)


def names() -> tuple[str, ...]:
    """The environment variables that count."""
    proxies = (form for name in _PROXIES for form in (name, name.lower()))
    bundles = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NETRC")
    return (*(f"MLFLOW_TRACKING_{name}" for name in _MLFLOW), *proxies, *bundles, *_FILES)


def missing_in(process: Process) -> bool:
    """Whether this process has credentials that another one of this user lacks, or has others.

    They are read from the other's memory by way of the kernel, so that none need be stored.
    """
    try:
        said = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is somebody else's
        return False
    has = dict(line.decode(errors="surrogateescape").partition("=")[::2] for line in said)
    mine = {name: value for name in names() if (value := os.environ.get(name))}
    return process.alive and any(has.get(name) != value for name, value in mine.items())

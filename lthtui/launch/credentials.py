"""What of the environment decides whether an MLflow server, and its store of files, lets us in.

Workers get the environment of the queue process, so that one started without a token is replaced
by a client that has one. What is compared is a fingerprint; the values themselves are never stored.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

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
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def names() -> tuple[str, ...]:
    """The environment variables that count."""
    proxies = (form for name in _PROXIES for form in (name, name.lower()))
    bundles = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NETRC")
    return (*(f"MLFLOW_TRACKING_{name}" for name in _MLFLOW), *proxies, *bundles, *_FILES)


def fingerprint(environment: Mapping[str, str] | None = None) -> str:
    """A word that is the same for all processes of this user and boot with the same credentials.

    Empty where nothing is set. It is salted and slow to compute, so that nothing can be guessed
    from it; another machine, and this one after a restart, give another word.
    """
    source = os.environ if environment is None else environment
    found = {name: value for name in names() if (value := source.get(name))}
    if not found:
        return ""
    text = "\0".join(f"{name}={found[name]}" for name in sorted(found))
    try:
        boot = _BOOT.read_text().strip()
    except OSError:
        boot = ""
    salt = f"{boot} {os.getuid()}".encode()
    return hashlib.scrypt(text.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16).hex()

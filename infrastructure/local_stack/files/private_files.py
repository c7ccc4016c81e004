"""Files that only their owner may read: passwords, keys, addresses that hold a password."""

import os
import secrets
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Puts the text there, mode 0600, in one step: a reader sees the old content or the new, never a part. OSError when it
    can't be: the old content stays."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as writer:
            writer.write(text)
            writer.flush()
            os.fsync(writer.fileno())
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)  # On a disk that is full even the part is in the way.
        raise


def lasting_secret(file: Path) -> str:
    """The password kept in this file; made at the first call. It needs no quoting in a URL or a config file."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        secret = secrets.token_hex(24)
        write_private(file, secret)
        return secret

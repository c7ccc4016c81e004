"""Tantivy's errors and panics, translated."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.ports import Unavailable


@contextmanager
def tantivy_errors(folder: Path) -> Iterator[None]:
    """Translates Tantivy's errors and panics into Unavailable."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise Unavailable(f"the search index {folder.name} can't be used: {error}") from None
    except BaseException as error:
        # A panic of Tantivy is no Exception; let out, it would end the thread's pool and the process's loop.
        if type(error).__name__ == "PanicException":
            raise Unavailable(f"the search index {folder.name} can't be used: Tantivy panicked") from None
        raise

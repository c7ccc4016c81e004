"""The life of a child: it reads one document after the other of one tenant, and dies of the first that harms it."""

import resource
import socket
import sys

from infrastructure.extraction import frames
from infrastructure.extraction.child.confinement import allow_time, confine, stop_clock
from infrastructure.extraction.document import extract_document
from infrastructure.extraction.limits import MIB, ExtractionLimits
from infrastructure.extraction.recognition import Hints
from infrastructure.ports.extraction import Extraction, NotExtracted, Reason

MAX_DOCUMENTS = 100
MAX_KEPT_BYTES = 128 * MIB
"""A child that once grew by more is not used again: the next document has its memory for itself."""


def serve(channel: socket.socket, limits: ExtractionLimits, parent: int) -> None:
    """Returns when the worker has no more documents, or the child has read enough."""
    confine(limits, parent)
    most_at_start = _most_bytes_held()
    with channel.makefile("rb") as stream:
        for number in range(1, MAX_DOCUMENTS + 1):
            document = frames.read_request(stream.read, limits.content_bytes)
            if document is None:
                return
            hints, content = document
            del document
            extraction, is_sound = _extract(hints, content, limits)
            small = _most_bytes_held() - most_at_start < MAX_KEPT_BYTES
            reusable = is_sound and small and number < MAX_DOCUMENTS
            for part in frames.answer(extraction, reusable=reusable):
                channel.sendall(part)
            if not reusable:
                return


def _extract(hints: Hints, content: bytes, limits: ExtractionLimits) -> tuple[Extraction, bool]:
    """The outcome, and whether the libraries are as good as new after it."""
    allow_time(limits)
    try:
        return extract_document(content, hints, limits), True
    except MemoryError:
        detail = f"It took more than {limits.memory_bytes // MIB:,} MiB."
        return NotExtracted(Reason.USED_TOO_MUCH_MEMORY, detail), False
    except RecursionError:
        return NotExtracted(Reason.EXPANDS_TOO_FAR, "It is nested too deeply."), False
    # Whatever a library raises at bytes it doesn't expect, a panic of Rust among it: the document is at fault.
    except BaseException as error:  # noqa: BLE001
        detail = (
            f"Its content broke off its reader ({type(error).__name__}): save it again with the program that made it."
        )
        return NotExtracted(Reason.DAMAGED, detail), False
    finally:
        stop_clock()


def _most_bytes_held() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

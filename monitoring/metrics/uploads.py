"""The metrics of uploads: how many are under way, how they end, and the bytes that are stored. The rules are those of
`monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import Counter, Gauge

from monitoring.metrics.label_limits import LimitedLabel
from monitoring.metrics.registry import registry

RECEIVED: Final = "received"
DISCONNECTED: Final = "disconnected"
FAILED: Final = "failed"
TOO_MANY: Final = "too-many-uploads"

_outcomes = LimitedLabel(50)

_under_way = Gauge("bucatini_uploads_under_way", "Uploads that arrive", registry=registry)
_uploads = Counter(
    "bucatini_uploads", "Uploads that ended: received, or why they weren't", ["outcome"], registry=registry
)
_stored_bytes = Counter(
    "bucatini_documents_stored_bytes", "Bytes of accepted originals, as the object store has them", registry=registry
)

# As in `monitoring.metrics.bus`: a series counts from zero.
for _outcome in (RECEIVED, DISCONNECTED, FAILED, TOO_MANY):
    _uploads.labels(_outcome)


def upload_began() -> None:
    """Counts an upload as under way."""
    _under_way.inc()


def upload_ended(outcome: str) -> None:
    """Counts an upload that was under way by how it ended: `received`, `disconnected`, `failed`, or the name of
    its problem."""
    _under_way.dec()
    _uploads.labels(_outcomes(outcome)).inc()


def upload_refused(outcome: str) -> None:
    """Counts an upload of which nothing was read."""
    _uploads.labels(_outcomes(outcome)).inc()


def originals_stored(stored_bytes: int) -> None:
    """Counts the bytes of originals that a version has now."""
    _stored_bytes.inc(stored_bytes)

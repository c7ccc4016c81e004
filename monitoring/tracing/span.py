"""What a span is to those who begin and end it, and what exports it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from monitoring.tracing.context import TraceContext

Attribute = str | int | float | bool | Sequence[str]


class SpanKind(StrEnum):
    SERVER = "server"
    CONSUMER = "consumer"
    CLIENT = "client"


class Span(Protocol):
    """Something under way that has begun when the span was made."""

    @property
    def context(self) -> TraceContext:
        """Its ids, for its log lines and for what it calls."""
        ...

    def end(self, attributes: Mapping[str, Attribute | None], *, error: str | None, name: str | None = None) -> None:
        """To be called once. `error` is a class of errors, never a message. Attributes that are None are left out. `name`
        takes the first one's place, for what is known only now."""
        ...


class Exporter(Protocol):
    def begin(self, name: str, kind: SpanKind, parent: TraceContext | None) -> Span: ...

    def close(self) -> None: ...


class ExportSettings(Protocol):
    @property
    def exports_traces(self) -> bool: ...

    @property
    def otel_bsp_max_queue_size(self) -> int:
        """Spans that wait for the collector; further ones are dropped and counted."""
        ...

    @property
    def otel_bsp_max_export_batch_size(self) -> int: ...

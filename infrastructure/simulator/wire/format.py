"""What each wire format can write."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

import orjson

from infrastructure.simulator.asked import Asked, Provider, Used
from infrastructure.simulator.faults import FaultKind


class Finish(StrEnum):
    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    DECLINED = "declined"


class WireFormat(Protocol):
    provider: Provider

    def asked(self, body: Mapping[str, Any]) -> Asked:
        """BadBody when the provider would refuse it."""
        ...

    def document(self, asked: Asked, request_id: str, text: str, finish: Finish, usage: Any) -> dict[str, Any]: ...

    def usage(self, used: Used, asked: Asked) -> dict[str, Any]: ...

    def wrong_usage(self) -> dict[str, Any]: ...

    def stream(self, asked: Asked, request_id: str, used: Used) -> "EventWriter": ...

    def error(self, kind: FaultKind, message: str, request_id: str, code: str | None = None) -> dict[str, Any]: ...

    def status(self, kind: FaultKind) -> int: ...


class EventWriter(Protocol):
    """Writes one stream."""

    def opening(self) -> bytes: ...

    def delta(self, text: str) -> bytes: ...

    def keep_alive(self) -> bytes: ...

    def closing(self, text: str, finish: Finish, usage: Any) -> bytes: ...

    def error(self) -> bytes: ...


def event(document: Mapping[str, Any], name: str | None = None) -> bytes:
    named = f"event: {name}\n".encode() if name else b""
    return named + b"data: " + orjson.dumps(document) + b"\n\n"

"""What differs between the providers' HTTP interfaces: bodies in, documents and events out. All of it is pure."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr

from infrastructure.model_registry.registry import ModelSpec
from infrastructure.ports.ai.request import ModelRequest
from infrastructure.ports.ai.response import FinishReason, RateLimits, TextDelta, Usage, UsageReported


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, before it is known which call it belongs to."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    served_model: str
    served_tier: str | None


class ApiError(Exception):
    """A document or an event says that the call failed; `body` is the provider's error."""

    def __init__(self, body: object, usage: Usage | None = None) -> None:
        super().__init__("the provider reports an error")
        self.body = body
        self.usage = usage


class Declined(Exception):
    """The model or a filter refused to answer. It may be charged for."""

    def __init__(self, usage: Usage) -> None:
        super().__init__("declined")
        self.usage = usage


class StreamReader(Protocol):
    """Reads one stream's events in their order."""

    answer: Answer | None
    """Set by the provider's terminal event."""
    progress: int
    """Counts what shows that the model is writing; keep-alives don't."""

    def take(self, data: bytes) -> Iterator[TextDelta | UsageReported]:
        """StreamMalformed, ApiError and Declined as their names say."""
        ...


class Api(Protocol):
    request_id_header: str
    max_unstreamed_tokens: int
    """Longer answers are streamed even if nobody listens: connections that stay silent for minutes get lost."""

    def body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any]:
        """What the SDK's `create` is called with, apart from `stream`."""
        ...

    def count_body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any] | None:
        """The same for counting tokens; None where the interface can't."""
        ...

    def answer_in(self, document: Mapping[str, Any]) -> Answer:
        """StreamMalformed, ApiError and Declined as their names say."""
        ...

    def reader(self) -> StreamReader: ...

    def stream_options(self) -> dict[str, Any]:
        """What `create` is called with for a stream, beside the body."""
        ...

    def rate_limits(self, headers: Mapping[str, str]) -> RateLimits: ...


class Reply(Protocol):
    """A response whose body is still to be read."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def iter_bytes(self) -> AsyncIterator[bytes]: ...


class Sdk(Protocol):
    """An SDK's client. Each call is one request: Refusal for a status of 300 or more, else what broke underneath."""

    def create(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]: ...

    def count(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]: ...

    def models(self, key: SecretStr | None, connect_seconds: float) -> AbstractAsyncContextManager[Reply]: ...

    async def close(self) -> None: ...

"""Anthropic's Messages interface, as bodies and events."""

from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.model_http.api import Answer, ApiError, Declined
from infrastructure.model_http.event_stream import StreamMalformed, json_of
from infrastructure.model_http.rate_limits import anthropic_rate_limits
from infrastructure.model_http.schemas import system_of
from infrastructure.model_http.tokens import Unreadable, count, optional_count, plausible
from infrastructure.model_registry.registry import ModelSpec, Parameter
from infrastructure.ports.ai.request import ModelRequest, Passage
from infrastructure.ports.ai.response import (
    UNKNOWN_USAGE,
    FinishReason,
    RateLimits,
    TextDelta,
    TokenCounts,
    Usage,
    UsageReported,
)

FINISH_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.MAX_TOKENS,
    "model_context_window_exceeded": FinishReason.MAX_TOKENS,
}


class MessagesApi:
    request_id_header = "request-id"
    max_unstreamed_tokens = 16_000
    """The SDK refuses to wait silently for more than about 21,000."""

    def body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any]:
        body = {**self.count_body(request, spec), "max_tokens": request.max_output_tokens}
        if request.stop and spec.takes(Parameter.STOP):
            body["stop_sequences"] = list(request.stop)
        if request.temperature is not None and spec.takes(Parameter.TEMPERATURE):
            # The SDK has no parameter for it any more; older versions of the interface take it.
            body["extra_body"] = {"temperature": request.temperature}
        return body

    def count_body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [
                {"role": message.role.value, "content": _blocks(message.passages, spec)} for message in request.messages
            ],
        }
        if system := system_of(request, spec):
            body["system"] = _blocks(system, spec)
        if request.schema is not None and spec.takes(Parameter.SCHEMA):
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        return body

    def stream_options(self) -> dict[str, Any]:
        return {"stream": True}

    def answer_in(self, document: Mapping[str, Any]) -> Answer:
        if document.get("type") == "error":
            raise ApiError(document)
        content = document.get("content")
        if document.get("type") != "message" or not isinstance(content, list):
            raise StreamMalformed("the answer is no message")
        blocks = (one for one in content if isinstance(one, Mapping) and one.get("type") == "text")
        text = "".join(str(block.get("text", "")) for block in blocks)
        raw = document.get("usage")
        return answer_of(text, document.get("stop_reason"), raw if isinstance(raw, dict) else {}, document)

    def reader(self) -> "MessagesReader":
        return MessagesReader()

    def rate_limits(self, headers: Mapping[str, str]) -> RateLimits:
        return anthropic_rate_limits(headers)


class MessagesReader:
    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.progress = 0
        self._message: Mapping[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._texts: list[str] = []
        self._reason: object = None

    def take(self, data: bytes) -> Iterator[TextDelta | UsageReported]:
        event = json_of(data)
        match event:
            case {"type": "message_start", "message": dict(message)}:
                self._message = message
                yield self._used(message.get("usage"))
            case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
                self.progress += 1
                self._texts.append(text)
                yield TextDelta(text)
            case {"type": "content_block_delta"}:
                self.progress += 1  # It reasons.
            case {"type": "message_delta", "delta": dict(delta)}:
                self._reason = delta.get("stop_reason") or self._reason
                yield self._used(event.get("usage"))
            case {"type": "message_stop"}:
                self.answer = answer_of("".join(self._texts), self._reason, self._usage, self._message)
            case {"type": "error"}:
                raise ApiError(event)

    def _used(self, usage: object) -> UsageReported:
        # Totals so far; what a later event leaves out or sets to null still holds.
        if isinstance(usage, Mapping):
            self._usage = {**self._usage, **{name: value for name, value in usage.items() if value is not None}}
        return UsageReported(usage_in(self._usage))


def answer_of(text: str, reason: object, raw_usage: dict[str, Any], message: Mapping[str, Any]) -> Answer:
    usage = usage_in(raw_usage)
    if reason == "refusal":
        raise Declined(usage)
    known = FINISH_REASONS.get(str(reason))
    if known is None:
        raise StreamMalformed(f"the message stopped for {str(reason)[:50]!r}")
    if not text and reason == "end_turn":
        raise StreamMalformed("the message has no text")
    tier = "fast" if raw_usage.get("speed") == "fast" else raw_usage.get("service_tier")
    return Answer(text, known, usage, str(message.get("model", "")), tier[:100] if isinstance(tier, str) else None)


def usage_in(raw: dict[str, Any]) -> Usage:
    if not raw:
        return UNKNOWN_USAGE
    try:
        read = optional_count(raw, "cache_read_input_tokens") or 0
        written = optional_count(raw, "cache_creation_input_tokens") or 0
        counts = TokenCounts(
            input_tokens=count(raw, "input_tokens") + read + written,
            output_tokens=count(raw, "output_tokens"),
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=optional_count(raw, "cache_creation", "ephemeral_1h_input_tokens") or 0,
            reasoning_tokens=optional_count(raw, "output_tokens_details", "thinking_tokens") or 0,
        )
        return Usage(raw, plausible(counts))
    except Unreadable:
        return Usage(raw, None)


def _blocks(passages: tuple[Passage, ...], spec: ModelSpec) -> list[dict[str, Any]]:
    cached = spec.takes(Parameter.CACHE_BREAKPOINTS)
    breakpoint_after = {"cache_control": {"type": "ephemeral"}}
    return [
        {"type": "text", "text": one.text, **(breakpoint_after if one.cache_after and cached else {})}
        for one in passages
    ]

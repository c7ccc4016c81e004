"""Chat completions, as OpenAI-compatible servers speak them, as bodies and events."""

from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.model_http.api import Answer, ApiError, Declined
from infrastructure.model_http.event_stream import DONE, StreamMalformed, json_of
from infrastructure.model_http.rate_limits import openai_rate_limits
from infrastructure.model_http.schemas import can_be_strict, system_of
from infrastructure.model_http.tokens import Unreadable, count, optional_count, plausible
from infrastructure.model_registry.registry import ModelSpec, Parameter
from infrastructure.ports.ai.request import Lane, ModelRequest, Passage
from infrastructure.ports.ai.response import (
    UNKNOWN_USAGE,
    FinishReason,
    RateLimits,
    TextDelta,
    TokenCounts,
    Usage,
    UsageReported,
)

FINISH_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.MAX_TOKENS}


class ChatApi:
    request_id_header = "x-request-id"
    max_unstreamed_tokens = 32_000

    def body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any]:
        messages = [("system", system)] if (system := system_of(request, spec)) else []
        messages += [(message.role.value, message.passages) for message in request.messages]
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": role, "content": _joined(passages)} for role, passages in messages],
            # Its newer name, max_completion_tokens, isn't known to every server yet.
            "max_tokens": request.max_output_tokens,
        }
        if request.temperature is not None and spec.takes(Parameter.TEMPERATURE):
            body["temperature"] = request.temperature
        if request.stop and spec.takes(Parameter.STOP):
            body["stop"] = list(request.stop)
        if request.schema is not None and spec.takes(Parameter.SCHEMA):
            described = {"name": "answer", "schema": request.schema, "strict": can_be_strict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        if request.lane is Lane.FLEX:
            body["service_tier"] = "flex"
        return body

    def count_body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any] | None:
        return None

    def stream_options(self) -> dict[str, Any]:
        return {"stream": True, "stream_options": {"include_usage": True}}

    def answer_in(self, document: Mapping[str, Any]) -> Answer:
        usage = usage_in(document.get("usage"))
        if document.get("error"):
            raise ApiError(document, usage)
        choice = first_choice(document)
        message = choice.get("message") if choice else None
        if choice is None or not isinstance(message, Mapping):
            raise StreamMalformed("the completion has no message")
        return answer_of(
            text=message.get("content"),
            refusal=message.get("refusal"),
            reason=choice.get("finish_reason"),
            usage=usage,
            document=document,
        )

    def reader(self) -> "ChatReader":
        return ChatReader()

    def rate_limits(self, headers: Mapping[str, str]) -> RateLimits:
        return openai_rate_limits(headers)


class ChatReader:
    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.progress = 0
        self._texts: list[str] = []
        self._refusal = ""
        self._reason: object = None
        self._usage = UNKNOWN_USAGE
        self._last: Mapping[str, Any] = {}

    def take(self, data: bytes) -> Iterator[TextDelta | UsageReported]:
        if data.strip() == DONE:
            if self._reason is None:
                raise StreamMalformed("the stream is said to be done without a reason")
            self.answer = answer_of(
                "".join(self._texts), self._refusal or None, self._reason, self._usage, document=self._last
            )
            return
        chunk = json_of(data)
        if chunk.get("error"):
            raise ApiError(chunk)
        self._last = {**self._last, **{name: chunk[name] for name in ("model", "service_tier") if chunk.get(name)}}
        if chunk.get("usage") is not None:
            self._usage = usage_in(chunk["usage"])
            yield UsageReported(self._usage)
        yield from self._text_in(first_choice(chunk))

    def _text_in(self, choice: Mapping[str, Any] | None) -> Iterator[TextDelta]:
        if choice is None:
            return
        self._reason = choice.get("finish_reason") or self._reason
        delta = choice.get("delta")
        if not isinstance(delta, Mapping):
            return
        # Servers of reasoning models have a field of their own for what isn't the answer.
        self.progress += any(isinstance(value, str) and value for name, value in delta.items() if name != "role")
        refusal, content = delta.get("refusal"), delta.get("content")
        self._refusal += refusal if isinstance(refusal, str) else ""
        if isinstance(content, str) and content:
            self._texts.append(content)
            yield TextDelta(content)


def answer_of(text: object, refusal: object, reason: object, usage: Usage, document: Mapping[str, Any]) -> Answer:
    if refusal or reason == "content_filter":
        raise Declined(usage)
    known = FINISH_REASONS.get(str(reason))
    if known is None:
        raise StreamMalformed(f"the completion finished for {str(reason)[:50]!r}")
    if not isinstance(text, str) or (not text and known is FinishReason.STOP):
        raise StreamMalformed("the completion has no text")
    tier = document.get("service_tier")
    return Answer(text, known, usage, str(document.get("model", "")), tier[:100] if isinstance(tier, str) else None)


def first_choice(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else None


def usage_in(raw: object) -> Usage:
    if not isinstance(raw, dict):
        return UNKNOWN_USAGE
    try:
        counts = TokenCounts(
            input_tokens=count(raw, "prompt_tokens"),
            output_tokens=count(raw, "completion_tokens"),
            cache_read_tokens=optional_count(raw, "prompt_tokens_details", "cached_tokens") or 0,
            cache_write_tokens=optional_count(raw, "prompt_tokens_details", "cache_write_tokens") or 0,
            reasoning_tokens=optional_count(raw, "completion_tokens_details", "reasoning_tokens") or 0,
        )
        return Usage(raw, plausible(counts))
    except Unreadable:
        return Usage(raw, None)


def _joined(passages: tuple[Passage, ...]) -> str:
    return "".join(one.text for one in passages)

"""OpenAI's Responses interface, as bodies and events."""

from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.model_http.api import Answer, ApiError, Declined
from infrastructure.model_http.event_stream import StreamMalformed, json_of
from infrastructure.model_http.rate_limits import openai_rate_limits
from infrastructure.model_http.schemas import can_be_strict, system_of
from infrastructure.model_http.tokens import Unreadable, count, optional_count, plausible
from infrastructure.model_registry.registry import ModelSpec, Parameter
from infrastructure.ports.ai.request import Lane, ModelRequest, Passage, Role
from infrastructure.ports.ai.response import (
    FinishReason,
    RateLimits,
    TextDelta,
    TokenCounts,
    Usage,
    UsageReported,
)

SERVICE_TIERS = {Lane.REALTIME: "default", Lane.FLEX: "flex"}


class ResponsesApi:
    request_id_header = "x-request-id"
    max_unstreamed_tokens = 32_000

    def body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any]:
        body = {
            **self.count_body(request, spec),
            "max_output_tokens": request.max_output_tokens,
            "service_tier": SERVICE_TIERS[request.lane],
            "store": False,
        }
        if request.temperature is not None and spec.takes(Parameter.TEMPERATURE):
            body["temperature"] = request.temperature
        if spec.takes(Parameter.CACHE_BREAKPOINTS):
            # Otherwise it chooses what to write to its cache, and charges for that.
            body["prompt_cache_options"] = {"mode": "explicit"}
        return body

    def count_body(self, request: ModelRequest, spec: ModelSpec) -> dict[str, Any]:
        system = system_of(request, spec)
        body: dict[str, Any] = {
            "model": request.model,
            "input": [
                *([{"role": "developer", "content": _parts(system, spec)}] if system else []),
                *(
                    {"role": message.role.value, "content": _content(message.role, message.passages, spec)}
                    for message in request.messages
                ),
            ],
        }
        if request.schema is not None and spec.takes(Parameter.SCHEMA):
            strict = can_be_strict(request.schema)
            described = {"type": "json_schema", "name": "answer", "schema": request.schema, "strict": strict}
            body["text"] = {"format": described}
        return body

    def stream_options(self) -> dict[str, Any]:
        return {"stream": True, "stream_options": {"include_obfuscation": False}}

    def answer_in(self, document: Mapping[str, Any]) -> Answer:
        usage = usage_in(document.get("usage"))
        match document.get("status"):
            case "completed":
                reason = FinishReason.STOP
            case "incomplete" if _incomplete_since(document) == "max_output_tokens":
                reason = FinishReason.MAX_TOKENS
            case "incomplete":
                raise Declined(usage)
            case "failed":
                raise ApiError({"error": document.get("error")}, usage)
            case status:
                raise StreamMalformed(f"the response's status is {str(status)[:50]!r}")
        parts = list(_output_parts(document))
        if any(part.get("type") == "refusal" for part in parts):
            raise Declined(usage)
        texts = [part.get("text") for part in parts if part.get("type") == "output_text"]
        if not texts and reason is FinishReason.STOP:
            raise StreamMalformed("the response has no text")
        text = "".join(one for one in texts if isinstance(one, str))
        return Answer(text, reason, usage, str(document.get("model", "")), _text(document.get("service_tier")))

    def reader(self) -> "ResponsesReader":
        return ResponsesReader(self)

    def rate_limits(self, headers: Mapping[str, str]) -> RateLimits:
        return openai_rate_limits(headers)


class ResponsesReader:
    def __init__(self, api: ResponsesApi) -> None:
        self._api = api
        self.answer: Answer | None = None
        self.progress = 0

    def take(self, data: bytes) -> Iterator[TextDelta | UsageReported]:
        event = json_of(data)
        match event.get("type"):
            case "response.output_text.delta":
                self.progress += 1
                delta = event.get("delta")
                if not isinstance(delta, str):
                    raise StreamMalformed("a piece of text is none")
                yield TextDelta(delta)
            case "response.completed" | "response.incomplete" | "response.failed":
                response = event.get("response")
                if not isinstance(response, dict):
                    raise StreamMalformed("the last event has no response")
                yield UsageReported(usage_in(response.get("usage")))
                self.answer = self._api.answer_in(response)
            case "error":
                raise ApiError(event)
            case str(kind) if kind.endswith(".delta"):
                self.progress += 1  # It reasons.


def usage_in(raw: object) -> Usage:
    if not isinstance(raw, dict):
        return Usage({}, None)
    try:
        counts = TokenCounts(
            input_tokens=count(raw, "input_tokens"),
            output_tokens=count(raw, "output_tokens"),
            cache_read_tokens=optional_count(raw, "input_tokens_details", "cached_tokens") or 0,
            cache_write_tokens=optional_count(raw, "input_tokens_details", "cache_write_tokens") or 0,
            reasoning_tokens=optional_count(raw, "output_tokens_details", "reasoning_tokens") or 0,
        )
        return Usage(raw, plausible(counts))
    except Unreadable:
        return Usage(raw, None)


def _content(role: Role, passages: tuple[Passage, ...], spec: ModelSpec) -> Any:
    # What the model said before has no input parts.
    return _parts(passages, spec) if role is Role.USER else "".join(one.text for one in passages)


def _parts(passages: tuple[Passage, ...], spec: ModelSpec) -> list[dict[str, Any]]:
    cached = spec.takes(Parameter.CACHE_BREAKPOINTS)
    breakpoint_after = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    return [
        {"type": "input_text", "text": one.text, **(breakpoint_after if one.cache_after and cached else {})}
        for one in passages
    ]


def _incomplete_since(document: Mapping[str, Any]) -> object:
    details = document.get("incomplete_details")
    return details.get("reason") if isinstance(details, Mapping) else None


def _output_parts(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    output = document.get("output")
    for item in output if isinstance(output, list) else ():
        content = item.get("content") if isinstance(item, Mapping) and item.get("type") == "message" else None
        yield from (part for part in content if isinstance(part, Mapping)) if isinstance(content, list) else ()


def _text(value: object) -> str | None:
    return value[:100] if isinstance(value, str) else None

"""Anthropic's Messages, version 2026-10-21."""

from collections.abc import Mapping
from typing import Any

from infrastructure.simulator.asked import Asked, BadBody, Part, Provider, Used, messages_in, parts_of, whole_number
from infrastructure.simulator.faults import FaultKind
from infrastructure.simulator.journal import DOLLARS_FOR_A_MILLION
from infrastructure.simulator.wire.format import Finish, event

ERRORS: dict[FaultKind, tuple[int, str, str | None]] = {
    FaultKind.THROTTLE: (429, "rate_limit_error", None),
    FaultKind.QUOTA: (429, "rate_limit_error", "enforced_spend_limit_reached"),
    FaultKind.OVERLOAD: (529, "overloaded_error", None),
    FaultKind.SERVER_ERROR: (500, "api_error", None),
    FaultKind.AUTH: (401, "authentication_error", None),
    FaultKind.BAD_REQUEST: (400, "invalid_request_error", None),
}
REASONS = {Finish.STOP: "end_turn", Finish.MAX_TOKENS: "max_tokens", Finish.DECLINED: "refusal"}
REFUSED_PARAMETERS = ("temperature", "top_p", "top_k")


class Messages:
    provider = Provider.ANTHROPIC

    def asked(self, body: Mapping[str, Any]) -> Asked:
        model = body.get("model")
        if model not in DOLLARS_FOR_A_MILLION or not str(model).startswith("claude-"):
            raise BadBody(f"model: {str(model)[:100]}", status=404, code="not_found_error")
        for name in REFUSED_PARAMETERS:
            if name in body:
                raise BadBody(f"{name}: is not supported by this API version")
        system = body.get("system")
        parts: tuple[Part, ...] = parts_of(system) if system else ()
        parts += tuple(part for one in messages_in(body, "messages") for part in parts_of(one.get("content")))
        if sum(part.cached for part in parts) > 4:
            raise BadBody("A maximum of 4 blocks with cache_control may be provided")
        return Asked(
            Provider.ANTHROPIC,
            str(model),
            parts,
            whole_number(body, "max_tokens"),
            ((body.get("output_config") or {}).get("format") or {}).get("schema"),
            bool(body.get("stream")),
            "standard",
            tuple(map(str, body.get("stop_sequences") or ())),
        )

    def document(self, asked: Asked, request_id: str, text: str, finish: Finish, usage: Any) -> dict[str, Any]:
        content = [] if finish is Finish.DECLINED else [{"type": "text", "text": text}]
        return {**_message(asked, request_id, usage), "content": content, "stop_reason": REASONS[finish]}

    def usage(self, used: Used, asked: Asked) -> dict[str, Any]:
        return {
            "input_tokens": used.input_tokens - used.cache_read_tokens - used.cache_write_tokens,
            "cache_creation_input_tokens": used.cache_write_tokens,
            "cache_read_input_tokens": used.cache_read_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": used.cache_write_tokens,
                "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": used.output_tokens,
            "service_tier": asked.tier,
        }

    def wrong_usage(self) -> dict[str, Any]:
        return {"input_tokens": "plenty", "output_tokens": -3}

    def stream(self, asked: Asked, request_id: str, used: Used) -> "MessageEvents":
        return MessageEvents(asked, request_id, self.usage(used, asked))

    def error(self, kind: FaultKind, message: str, request_id: str, code: str | None = None) -> dict[str, Any]:
        _, name, usual = ERRORS.get(kind, ERRORS[FaultKind.SERVER_ERROR])
        name = code if code == "not_found_error" else name
        details = {"error_code": usual} if usual else None
        return {
            "type": "error",
            "error": {"type": name, "message": message, "details": details},
            "request_id": request_id,
        }

    def status(self, kind: FaultKind) -> int:
        return ERRORS.get(kind, ERRORS[FaultKind.SERVER_ERROR])[0]


class MessageEvents:
    def __init__(self, asked: Asked, request_id: str, usage: dict[str, Any]) -> None:
        self._asked = asked
        self._request_id = request_id
        self._usage = usage

    def opening(self) -> bytes:
        message = {**_message(self._asked, self._request_id, self._usage), "content": [], "stop_reason": None}
        block = {"type": "text", "text": ""}
        return self._event("message_start", message=message) + self._event(
            "content_block_start", index=0, content_block=block
        )

    def delta(self, text: str) -> bytes:
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def keep_alive(self) -> bytes:
        return self._event("ping")

    def closing(self, text: str, finish: Finish, usage: Any) -> bytes:
        totals = None if usage is None else {name: usage[name] for name in usage if name.endswith("_tokens")}
        delta = {"stop_reason": REASONS[finish], "stop_sequence": None}
        return (
            self._event("content_block_stop", index=0)
            + self._event("message_delta", delta=delta, usage=totals)
            + self._event("message_stop")
        )

    def error(self) -> bytes:
        return self._event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    def _event(self, kind: str, **fields: Any) -> bytes:
        return event({"type": kind, **fields}, kind)


def _message(asked: Asked, request_id: str, usage: Any) -> dict[str, Any]:
    return {
        "id": f"msg_{request_id}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "stop_sequence": None,
        "usage": usage,
    }

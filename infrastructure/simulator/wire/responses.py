"""OpenAI's Responses."""

from collections.abc import Mapping
from typing import Any

from infrastructure.simulator.asked import (
    Asked,
    BadBody,
    Part,
    Provider,
    Used,
    messages_in,
    part,
    parts_of,
    whole_number,
)
from infrastructure.simulator.faults import FaultKind
from infrastructure.simulator.journal import DOLLARS_FOR_A_MILLION
from infrastructure.simulator.wire.format import Finish, event
from infrastructure.simulator.wire.openai_errors import error_of, status_of

REASONING_MODELS = ("gpt-5", "gpt-6")


class Responses:
    provider = Provider.OPENAI

    def asked(self, body: Mapping[str, Any]) -> Asked:
        model = body.get("model")
        if model not in DOLLARS_FOR_A_MILLION or not str(model).startswith("gpt-"):
            raise BadBody(f"The model '{str(model)[:100]}' does not exist", status=404, code="model_not_found")
        if "temperature" in body and str(model).startswith(REASONING_MODELS):
            raise BadBody("Unsupported parameter: 'temperature'", code="unsupported_parameter")
        text_format = (body.get("text") or {}).get("format") or {}
        tier = body.get("service_tier") or "default"
        return Asked(
            Provider.OPENAI,
            str(model),
            _parts(body),
            whole_number(body, "max_output_tokens", 4_096),
            text_format.get("schema") if text_format.get("type") == "json_schema" else None,
            bool(body.get("stream")),
            "default" if tier == "auto" else str(tier),
        )

    def document(self, asked: Asked, request_id: str, text: str, finish: Finish, usage: Any) -> dict[str, Any]:
        status = "incomplete" if finish is Finish.MAX_TOKENS else "completed"
        return {
            **_response(asked, request_id, status),
            "incomplete_details": {"reason": "max_output_tokens"} if finish is Finish.MAX_TOKENS else None,
            "output": [_item(request_id, text, finish)],
            "usage": usage,
        }

    def usage(self, used: Used, asked: Asked) -> dict[str, Any]:
        return {
            "input_tokens": used.input_tokens,
            "input_tokens_details": {
                "cached_tokens": used.cache_read_tokens,
                "cache_write_tokens": used.cache_write_tokens,
            },
            "output_tokens": used.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used.input_tokens + used.output_tokens,
        }

    def wrong_usage(self) -> dict[str, Any]:
        return {"input_tokens": -7, "output_tokens": "many", "total_tokens": None}

    def stream(self, asked: Asked, request_id: str, used: Used) -> "ResponseEvents":
        return ResponseEvents(self, asked, request_id)

    def error(self, kind: FaultKind, message: str, request_id: str, code: str | None = None) -> dict[str, Any]:
        return error_of(kind, message, code)

    def status(self, kind: FaultKind) -> int:
        return status_of(kind)


class ResponseEvents:
    def __init__(self, wire: Responses, asked: Asked, request_id: str) -> None:
        self._wire = wire
        self._asked = asked
        self._request_id = request_id
        self._sequence = 0

    def opening(self) -> bytes:
        response = {**_response(self._asked, self._request_id, "in_progress"), "output": [], "usage": None}
        item = {**_item(self._request_id, "", Finish.STOP), "status": "in_progress", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        return (
            self._event("response.created", response=response)
            + self._event("response.in_progress", response=response)
            + self._event("response.output_item.added", output_index=0, item=item)
            + self._event("response.content_part.added", **self._place(), part=part)
        )

    def delta(self, text: str) -> bytes:
        return self._event("response.output_text.delta", **self._place(), delta=text, logprobs=[])

    def keep_alive(self) -> bytes:
        return b": keep-alive\n\n"

    def closing(self, text: str, finish: Finish, usage: Any) -> bytes:
        document = self._wire.document(self._asked, self._request_id, text, finish, usage)
        last = "response.incomplete" if finish is Finish.MAX_TOKENS else "response.completed"
        return (
            self._event("response.output_text.done", **self._place(), text=text, logprobs=[])
            + self._event("response.output_item.done", output_index=0, item=document["output"][0])
            + self._event(last, response=document)
        )

    def error(self) -> bytes:
        error = {"code": "server_error", "message": "The server had an error while processing your request"}
        return self._event(
            "response.failed",
            response={
                **_response(self._asked, self._request_id, "failed"),
                "error": error,
                "output": [],
                "usage": None,
            },
        )

    def _place(self) -> dict[str, Any]:
        return {"item_id": f"msg_{self._request_id}", "output_index": 0, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._sequence += 1
        return event({"type": kind, "sequence_number": self._sequence - 1, **fields}, kind)


def _parts(body: Mapping[str, Any]) -> tuple[Part, ...]:
    instructions = body.get("instructions")
    given = body.get("input")
    parts = (part(instructions),) if isinstance(instructions, str) else ()
    if isinstance(given, str):
        return (*parts, part(given))
    return (*parts, *(each for one in messages_in(body, "input") for each in parts_of(one.get("content"))))


def _response(asked: Asked, request_id: str, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{request_id}",
        "object": "response",
        "created_at": 1_800_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": f"{asked.model}-2026-09-22",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": asked.tier,
    }


def _item(request_id: str, text: str, finish: Finish) -> dict[str, Any]:
    part = (
        {"type": "refusal", "refusal": "I can't help with that."}
        if finish is Finish.DECLINED
        else {"type": "output_text", "text": text, "annotations": []}
    )
    return {
        "id": f"msg_{request_id}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }

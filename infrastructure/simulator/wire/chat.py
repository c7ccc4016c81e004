"""Chat completions, as OpenAI-compatible servers speak them: any model's name is taken."""

from collections.abc import Mapping
from typing import Any

from infrastructure.simulator.asked import Asked, BadBody, Provider, Used, messages_in, parts_of, whole_number
from infrastructure.simulator.faults import FaultKind
from infrastructure.simulator.wire.format import Finish, event
from infrastructure.simulator.wire.openai_errors import error_of, status_of

REASONS = {Finish.STOP: "stop", Finish.MAX_TOKENS: "length", Finish.DECLINED: "content_filter"}


class ChatCompletions:
    provider = Provider.OPENAI

    def asked(self, body: Mapping[str, Any]) -> Asked:
        model = body.get("model")
        if not isinstance(model, str) or not 0 < len(model) <= 200:
            raise BadBody("model: must be a name")
        described = (body.get("response_format") or {}).get("json_schema") or {}
        stop = body.get("stop") or ()
        limit = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
        return Asked(
            Provider.OPENAI,
            model,
            tuple(part for one in messages_in(body, "messages") for part in parts_of(one.get("content"))),
            whole_number(body, limit, 4_096),
            described.get("schema"),
            bool(body.get("stream")),
            str(body.get("service_tier") or "default"),
            (stop,) if isinstance(stop, str) else tuple(map(str, stop)),
            bool((body.get("stream_options") or {}).get("include_usage")),
        )

    def document(self, asked: Asked, request_id: str, text: str, finish: Finish, usage: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": REASONS[finish], "logprobs": None}
        return {**_completion(asked, request_id, "chat.completion"), "choices": [choice], "usage": usage}

    def usage(self, used: Used, asked: Asked) -> dict[str, Any]:
        return {
            "prompt_tokens": used.input_tokens,
            "completion_tokens": used.output_tokens,
            "total_tokens": used.input_tokens + used.output_tokens,
            "prompt_tokens_details": {"cached_tokens": used.cache_read_tokens},
        }

    def wrong_usage(self) -> dict[str, Any]:
        return {"prompt_tokens": 5, "completion_tokens": -1, "prompt_tokens_details": {"cached_tokens": 50}}

    def stream(self, asked: Asked, request_id: str, used: Used) -> "ChatEvents":
        return ChatEvents(asked, request_id)

    def error(self, kind: FaultKind, message: str, request_id: str, code: str | None = None) -> dict[str, Any]:
        return error_of(kind, message, code)

    def status(self, kind: FaultKind) -> int:
        return status_of(kind)


class ChatEvents:
    def __init__(self, asked: Asked, request_id: str) -> None:
        self._asked = asked
        self._request_id = request_id

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def delta(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def keep_alive(self) -> bytes:
        return b": keep-alive\n\n"

    def closing(self, text: str, finish: Finish, usage: Any) -> bytes:
        last = self._chunk({}, REASONS[finish])
        if self._asked.usage_in_stream and usage is not None:
            last += event({**self._start(), "choices": [], "usage": usage})
        return last + b"data: [DONE]\n\n"

    def error(self) -> bytes:
        return event(error_of(FaultKind.SERVER_ERROR, "The server had an error while processing your request"))

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return event({**self._start(), "choices": [choice], "usage": None})

    def _start(self) -> dict[str, Any]:
        return _completion(self._asked, self._request_id, "chat.completion.chunk")


def _completion(asked: Asked, request_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl_{request_id}",
        "object": kind,
        "created": 1_800_000_000,
        "model": asked.model,
        "service_tier": asked.tier,
    }

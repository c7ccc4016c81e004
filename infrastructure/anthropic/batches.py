"""Anthropic's Message Batches: requests in, results as lines of JSON out."""

from collections.abc import Mapping
from typing import Any

from infrastructure.model_http.batches import BatchState, Line


class MessageBatches:
    def batch_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        # What the SDK has no parameter for is a field like any other in here.
        return {**{name: value for name, value in body.items() if name != "extra_body"}, **body.get("extra_body", {})}

    def state_in(self, document: Mapping[str, Any]) -> BatchState:
        status, results = document.get("processing_status"), document.get("results_url")
        return BatchState(status == "ended", results if isinstance(results, str) else None, str(status)[:50])

    def line_of(self, written: Mapping[str, Any]) -> Line:
        result = written.get("result")
        match result if isinstance(result, Mapping) else {}:
            case {"type": "succeeded", "message": dict(message)}:
                return Line(message)
            case {"type": "errored", "error": dict(error)}:
                return Line(None, error=error)
            case {"type": str(kind)}:
                return Line(None, reason=kind[:50])
        return Line(None, reason="unreadable")

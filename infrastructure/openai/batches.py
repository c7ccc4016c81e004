"""OpenAI's Batch interface: a file of requests in, a file of responses out."""

from collections.abc import Mapping
from typing import Any, Final

from infrastructure.model_http.batches import BatchState, Line

ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})


class OpenAiBatches:
    def batch_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "service_tier"}

    def state_in(self, document: Mapping[str, Any]) -> BatchState:
        status = str(document.get("status"))[:50]
        # Requests that failed are in a file of their own.
        files = (document.get("output_file_id"), document.get("error_file_id"))
        results = next((file for file in files if isinstance(file, str) and 0 < len(file) <= 200), None)
        return BatchState(status in ENDED, results, status)

    def line_of(self, written: Mapping[str, Any]) -> Line:
        response, error = written.get("response"), written.get("error")
        if isinstance(response, Mapping):
            status, body = response.get("status_code"), response.get("body")
            if status == 200 and isinstance(body, Mapping):
                return Line(body)
            return Line(None, error=body or {}, status=status if isinstance(status, int) else None)
        code = error.get("code") if isinstance(error, Mapping) else None
        if code in ("batch_expired", "batch_cancelled"):
            return Line(None, reason=str(code))
        return Line(None, error=error or {})

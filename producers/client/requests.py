"""How the client writes its requests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from producers.client.exchange import Request
from schemas.model import Model

JSON: Final = {"content-type": "application/json"}

Id = UUID | str


def path(*segments: object) -> str:
    """Each segment as one, whatever is in it: `path("jobs", job_id)` is `/api/jobs/0199…`."""
    return "/api/" + "/".join(quote(str(segment), safe="") for segment in segments)


def get(address: str, query: Mapping[str, object] | None = None, *, wait_seconds: int = 0) -> Request:
    """With a time to wait, the response may come as late as that."""
    headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
    return Request("GET", with_query(address, query or {}), headers, patience_seconds=wait_seconds)


def post(address: str, body: Model | bytes | None = None, *, repeatable: bool = True, wait_seconds: int = 0) -> Request:
    headers = {} if body is None else {**JSON}
    if wait_seconds:
        headers["prefer"] = f"wait={wait_seconds}"
    return Request("POST", address, headers, _json(body), patience_seconds=wait_seconds, repeatable=repeatable)


def keyed_post(address: str, body: Model | bytes | None = None, idempotency_key: str | None = None) -> Request:
    """Carries an idempotency key, the caller's or one of its own: a broken connection never does it twice."""
    headers = {**({} if body is None else JSON), "idempotency-key": idempotency_key or str(uuid4())}
    return Request("POST", address, headers, _json(body))


def put(address: str, body: Model | bytes) -> Request:
    return Request("PUT", address, JSON, _json(body))


def whole(body: Model) -> bytes:
    """With what wasn't given, too: for a body whose parts are told apart by a field that their makers leave to its default."""
    return body.model_dump_json().encode()


def patch(address: str, body: Model) -> Request:
    return Request("PATCH", address, JSON, _json(body))


def delete(address: str) -> Request:
    return Request("DELETE", address)


def with_query(address: str, parameters: Mapping[str, object]) -> str:
    given = {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in parameters.items()
        if value is not None
    }
    return f"{address}?{urlencode(given)}" if given else address


def _json(body: Model | bytes | None) -> bytes | None:
    """Only what was given: the ingress decides the rest."""
    return body.model_dump_json(exclude_unset=True).encode() if isinstance(body, Model) else body

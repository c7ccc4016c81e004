"""OpenAI's errors, for both of its interfaces."""

from typing import Any

from infrastructure.simulator.faults import FaultKind

ERRORS: dict[FaultKind, tuple[int, str, str | None]] = {
    FaultKind.THROTTLE: (429, "requests", "rate_limit_exceeded"),
    FaultKind.QUOTA: (429, "insufficient_quota", "credit_balance_exhausted"),
    FaultKind.OVERLOAD: (503, "server_error", "server_is_overloaded"),
    FaultKind.SERVER_ERROR: (500, "server_error", None),
    FaultKind.AUTH: (401, "invalid_request_error", "invalid_api_key"),
    FaultKind.BAD_REQUEST: (400, "invalid_request_error", None),
}


def status_of(kind: FaultKind) -> int:
    return ERRORS.get(kind, ERRORS[FaultKind.SERVER_ERROR])[0]


def error_of(kind: FaultKind, message: str, code: str | None = None) -> dict[str, Any]:
    _, name, usual = ERRORS.get(kind, ERRORS[FaultKind.SERVER_ERROR])
    return {"error": {"message": message, "type": name, "param": None, "code": code or usual}}

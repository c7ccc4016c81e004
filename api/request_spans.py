"""The span of a request, by the names of OpenTelemetry's conventions for HTTP. It has the route's pattern, never the path."""

from starlette.types import Scope

from monitoring.tracing import spans
from monitoring.tracing.context import parse_traceparent
from monitoring.tracing.span import Span, SpanKind

SERVER_ERROR = 500


def begin(scope: Scope, traceparent: str | None) -> Span | None:
    """None where no spans are exported."""
    return spans.begin(_method(scope), SpanKind.SERVER, parse_traceparent(traceparent))


def end(span: Span | None, scope: Scope, status: int) -> None:
    """`status` is 0 where the client left before there was one."""
    if span is None:
        return
    route = scope.get("route")
    pattern = None if route is None else route.path
    error = "disconnected" if not status else str(status) if status >= SERVER_ERROR else None
    span.end(
        {
            "http.request.method": _method(scope),
            "http.route": pattern,
            "http.response.status_code": status or None,
            "url.scheme": scope.get("scheme"),
        },
        error=error,
        name=_method(scope) if pattern is None else f"{_method(scope)} {pattern}",
    )


def _method(scope: Scope) -> str:
    return str(scope.get("method", "GET"))

"""`/metrics`, `/healthz` and `/readyz` for operators, on a port and a thread of their own, in ingress, worker and
dispatcher."""

import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore, Thread
from types import TracebackType
from typing import Any, Final, Self

import structlog

from monitoring.errors.failures import describe_failure
from monitoring.metrics.bus import render_metrics
from schemas.health import Readiness, Ready

Faults = Callable[[], Sequence[str]]
"""Why the process should be restarted; nothing while it works. Called from this module's threads, at every request."""
Readied = Callable[[], Ready]
"""The process's readiness. Called likewise."""

_MAX_CONNECTIONS: Final = 16
_CLIENT_TIMEOUT_SECONDS: Final = 5.0
_CLOSE_TIMEOUT_SECONDS: Final = 2.0
_TEXT: Final = "text/plain; charset=utf-8"

log = structlog.get_logger(__name__)


class PortUnavailable(Exception):
    """The port for /metrics and /healthz can't be opened. The message says which and why."""


class OperatorServer:
    """The running thread. `port` is the one it got; closing it twice is harmless."""

    def __init__(self, host: str, port: int, faults: Faults, ready: Readied | None = None) -> None:
        try:
            self._server = _BoundedServer((host, port), _answer_with(faults, ready))
        except OSError as error:
            raise PortUnavailable(
                f"{host}:{port} can't serve /metrics ({describe_failure(error).partition(' at ')[0]}): "
                "stop what holds it, or set METRICS_PORT to another port or to 0"
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="operator-server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops answering. Waits for the thread, two seconds at most."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_CLOSE_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def serve(port: int, *, faults: Faults, ready: Readied | None = None, host: str = "127.0.0.1") -> OperatorServer:
    """Serves `/metrics`, `/healthz` and, with `ready`, `/readyz` until it is closed. Port 0 takes a free one: see the
    log or `.port`.

    PortUnavailable when the port can't be opened.
    """
    server = OperatorServer(host, port, faults, ready)
    log.info("metrics_listening", url=f"http://{host}:{server.port}/metrics")
    return server


class _BoundedServer(ThreadingMixIn, TCPServer):
    # Not http.server's own class: that one asks the DNS for the host's full name before it listens.
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self._free = BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(address, handler)

    # The standard library calls a request what is still a bare connection.
    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # which would be a client that went away
            log.error("operator_request_failed", exc_info=error)


def _answer_with(faults: Faults, ready: Readied | None) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = _CLIENT_TIMEOUT_SECONDS
        server_version = "bucatini"
        sys_version = ""

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    body, content_type = render_metrics()
                    self._answer(HTTPStatus.OK, body, content_type)
                case "/healthz":
                    if found := _ask(faults):
                        text = f"the process does not work: restart it ({'; '.join(found)})\n"
                        self._answer(HTTPStatus.SERVICE_UNAVAILABLE, text.encode(), _TEXT)
                    else:
                        self._answer(HTTPStatus.OK, b"ok\n", _TEXT)
                case "/readyz" if ready is not None:
                    self._answer_ready(ready())
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, b"only /metrics, /healthz and /readyz are served here\n", _TEXT)

        def _answer_ready(self, found: Ready) -> None:
            away = found.status is Readiness.NOT_READY
            status = HTTPStatus.SERVICE_UNAVAILABLE if away else HTTPStatus.OK
            self._answer(status, found.model_dump_json().encode(), "application/json")

        def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return  # scrapes every few seconds aren't logged

    return Answer


def _ask(faults: Faults) -> Sequence[str]:
    try:
        return faults()
    except Exception as error:  # this thread's edge: a check that fails is an answer
        log.error("health_check_failed", exc_info=error)
        return ("its health couldn't be asked: see its log",)

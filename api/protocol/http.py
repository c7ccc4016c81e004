"""uvicorn's HTTP protocol with limits that it lacks: on the size of headers, pipelining, and time."""

import asyncio
import logging
from typing import Any

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.http import problems
from api.http.problems import Refusal
from api.http.responses import NOSNIFF, POLICY, problem_answer
from api.protocol.connection_limits import ConnectionLimits, Full
from api.protocol.unread import Unread
from monitoring.metrics import ingress as ingress_metrics

MAX_HEAD_BYTES = 64_000
"""Of a request line and headers, and of anything between two pieces of a body, such as chunk extensions."""
MAX_HEADER_LINES = 100
MAX_PIPELINED = 32
"""Pipelined requests that may wait on a connection."""
FIRST_BYTE_SECONDS = 10.0
HEAD_SECONDS = 10.0
"""From a request's first byte to the end of its headers."""
LINGER_SECONDS = 2.0
MAX_LINGERING_BYTES = 1_000_000


class _DropUnfinishedResponses(logging.Filter):
    """Drops uvicorn's error for responses that end early: that is how a stream ends for a client that left or stalled."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg != "ASGI callable returned without completing response."


requests = logging.getLogger("uvicorn.error.http")
requests.setLevel(logging.WARNING)
requests.addFilter(_DropUnfinishedResponses())


class LimitedState(ServerState):
    """uvicorn's state with the connection limits of the process."""

    def __init__(self, limits: ConnectionLimits) -> None:
        super().__init__()
        self.limits = limits


class LimitedHttp(HttpToolsProtocol):
    """One HTTP connection, with a limit on everything that a client may leave unfinished.

    A connection or request that is refused here never reaches the application: it is counted, not logged.
    """

    server_state: LimitedState

    def __init__(
        self,
        config: Config,
        server_state: LimitedState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = requests
        self._limits = server_state.limits
        self._in_head = False
        self._unused_bytes = 0
        """Bytes since the last piece of a body or end of a request: all that the parser may still hold."""
        self._read_bytes = 0
        """Bytes of the last read, which may hold the end of one request and the beginning of the next."""
        self._refusal: Refusal | None = None
        self._refused = False
        self._due_at: float | None = None
        """Deadline for the next bytes; None while a request is running. Checked every second for all connections together:
        setting and cancelling a timer for every request would cost more than the rest of these limits."""
        self._idle_since = self.loop.time()
        self._receiving = False
        self._unread = Unread()

    # Called by uvicorn and the parser

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        full = self._limits.enter(self, None if self.client is None else self.client[0])
        if full is not None:
            self._reject(full)
            return
        self._due_at = self.loop.time() + FIRST_BYTE_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._read_bytes = len(data)
        self._unused_bytes += self._read_bytes
        if self._refused:
            if self._unused_bytes > MAX_LINGERING_BYTES:
                self.transport.abort()
            return
        cycle = self.cycle
        if not self._receiving and (cycle is None or cycle.response_complete):
            self._receiving = True
            self._due_at = self.loop.time() + HEAD_SECONDS
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._hand_over()
            return
        except httptools.HttpParserError:
            # The parser wraps a Refusal raised in one of its callbacks.
            self._refuse(self._refusal or problems.malformed_request(), "malformed")
            return
        if self._unused_bytes > MAX_HEAD_BYTES:
            self._refuse(problems.head_too_large(MAX_HEAD_BYTES, MAX_HEADER_LINES), "head_too_large")

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            self._abort_parsing(problems.malformed_request())
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            # A trailer field after a chunked body, which must not pass for a header.
            return
        headers = self.headers
        if len(headers) >= MAX_HEADER_LINES:
            self._abort_parsing(problems.head_too_large(MAX_HEAD_BYTES, MAX_HEADER_LINES))
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        if (
            self._unused_bytes > MAX_HEAD_BYTES or self._read_bytes > MAX_HEAD_BYTES
        ) and self._head_bytes > MAX_HEAD_BYTES:
            self._abort_parsing(problems.head_too_large(MAX_HEAD_BYTES, MAX_HEADER_LINES))
        self._in_head = self._receiving = False
        self._due_at = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unused_bytes = 0
        super().on_message_complete()
        if self._receiving and not self._under_way:
            # The rest of a body whose request was answered early: the connection is idle now.
            self._receiving = False
            self._due_at = self.loop.time() + self.timeout_keep_alive

    def on_response_complete(self) -> None:
        # As in uvicorn, without its keep-alive timer.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        now = self._idle_since = self.loop.time()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._due_at = now + self.timeout_keep_alive

    # Called by ConnectionLimits

    def idle_since(self) -> float | None:
        return None if self._under_way else self._idle_since

    def evict(self) -> None:
        ingress_metrics.connection_refused("gave_way")
        self._refused = True
        if self.cycle is None and not self.transport.is_closing():
            self._write(problems.too_many_connections())
        self.transport.close()

    def check(self, now: float) -> None:
        if self._unread.too_long(self.transport, now, waiting=self.flow.write_paused):
            ingress_metrics.connection_refused("unread")
            self.transport.abort()
        elif self._due_at is None or now < self._due_at or self.transport.is_closing():
            return
        elif self._refused:
            self.transport.abort()
        elif self._in_head:
            self._refuse(problems.head_too_slow(HEAD_SECONDS), "silent")
        else:
            if self.cycle is None or self._receiving:
                ingress_metrics.connection_refused("silent")
            self.transport.close()

    def stop_receiving(self) -> None:
        """Refuses a request whose body is incomplete, because the process is stopping."""
        if self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            self._refuse(problems.stopping(), "silent")

    # Refusing

    @property
    def _under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _abort_parsing(self, refusal: Refusal) -> None:
        """Aborts parsing from within a parser callback."""
        self._refusal = refusal
        raise refusal

    def _refuse(self, refusal: Refusal, reason: str) -> None:
        """Reads nothing more. Earlier requests are answered first, then the connection closes."""
        too_large = refusal.problem.status == 431
        ingress_metrics.connection_refused("head_too_large" if too_large else reason)
        self._refused = True
        self._unused_bytes = 0
        if not self._under_way:
            self._answer(refusal)
        elif not self.cycle.more_body:
            self.cycle.keep_alive = False
        else:
            already_answering = self.cycle.response_started or self.pipeline
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if already_answering:
                self.transport.close()
            else:
                self._answer(refusal)

    def _reject(self, full: Full) -> None:
        ingress_metrics.connection_refused(full.value)
        self._refused = True
        if self._limits.linger(self):
            self._answer(problems.too_many_connections())
        else:
            self._write(problems.too_many_connections())
            self.transport.close()

    def _answer(self, refusal: Refusal) -> None:
        # Closing while the client still sends would reset the connection, and the client would lose the response.
        self._write(refusal)
        self.transport.write_eof()
        self._due_at = self.loop.time() + LINGER_SECONDS

    def _write(self, refusal: Refusal) -> None:
        answer = problem_answer(refusal.problem, refusal.headers)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", answer.media_type),
            (b"content-length", b"%d" % len(answer.body)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
            NOSNIFF,
            POLICY,
            *answer.headers,
        ]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[answer.status], lines, answer.body))

    def _hand_over(self) -> None:
        """Hands the connection to the WebSocket protocol, which counts it from now on."""
        self._limits.leave(self)
        self._due_at = None
        self.handle_websocket_upgrade()

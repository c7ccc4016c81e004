"""`python -m api`: the server process. On SIGTERM or Ctrl-C it ends event streams at once and lets requests finish."""

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence

import uvicorn
import uvloop
from starlette.types import ASGIApp

from api.app import build, check_kinds
from api.dependencies import Dependencies
from api.protocol.connection_limits import ConnectionLimits, places, raise_descriptor_limit
from api.protocol.http import LimitedHttp, LimitedState
from api.protocol.websocket import LimitedWebSocket
from infrastructure import settings as settings_module
from infrastructure.concurrency.gc_tuning import tune_gc
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import EXIT_LOOP_FAILED, Supervisor
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.settings import Settings, SettingsInvalid
from kinds.declaration import JobInvalid
from kinds.loading import load as load_jobs
from monitoring.health import server as serving
from monitoring.health.event_loop import BLOCKED_AFTER_SECONDS, PERIOD_SECONDS, LoopLag
from monitoring.health.loops import EVENT_LOOP, LoopReport
from monitoring.logs.logging import configure
from monitoring.tracing.spans import exporting

logger = logging.getLogger("api")

KEEP_ALIVE_SECONDS = 65
"""Longer than a load balancer's usual 60 s, so that it never sends a request on a connection that is closing."""
DRAIN_SECONDS = 30
UNREAD_SECONDS = 2.0
RECEIVE_SECONDS = 4.0
"""How long a stopping process waits for the rest of a request body."""
CHECK_SECONDS = 1.0
"""Between two checks of the connections' timeouts."""
PING_SECONDS = 20.0
"""WebSocket keepalive: the interval between pings, and the timeout for a pong."""
LARGEST_MESSAGE = 64_000
"""Maximum size of a WebSocket message from a client, in bytes."""


class Server(uvicorn.Server):
    """uvicorn with connection limits, supervised loops, and a shutdown that doesn't wait for event streams to end."""

    def __init__(self, settings: Settings) -> None:
        closing, allowed = asyncio.Event(), places(settings)
        self.supervisor = Supervisor(LoopReport, on_fatal=self._on_fatal)
        super().__init__(_config(settings, build(settings, closing, self.supervisor), allowed.backlog))
        self._limits = ConnectionLimits(allowed)
        self.server_state = LimitedState(self._limits)
        self._closing = closing
        self._closing_since = 0.0
        self._ingress: Dependencies | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ingress = self.lifespan.state.get("ingress")
        self.supervisor.start(
            Loop(EVENT_LOOP, PERIOD_SECONDS, LoopLag().measure, stalled_after_seconds=BLOCKED_AFTER_SECONDS),
            Loop("connection checks", CHECK_SECONDS, self._check_connections),
        )
        tune_gc()
        for listening in (one for started in self.servers for one in started.sockets):
            host, port = listening.getsockname()[:2]
            logger.info("ready: http://%s:%s", host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        self._closing_since = asyncio.get_running_loop().time()
        (aborting,) = self.supervisor.start(Loop("unread connections", UNREAD_SECONDS, self._abort_unread))
        try:
            await super().shutdown(sockets)
        finally:
            await aborting.stop()
            await self.supervisor.stop()

    def faults(self) -> Sequence[str]:
        """Liveness: why the process should be restarted; nothing before it has started, and while its loops go on."""
        return () if self._ingress is None else self._ingress.faults()

    def _on_fatal(self, loop: str) -> None:
        logger.critical("the loop '%s' keeps failing: ending, so that a new process takes over", loop)
        self.should_exit = True

    async def _check_connections(self) -> None:
        self._limits.check(asyncio.get_running_loop().time())

    async def _abort_unread(self) -> None:
        # A closing connection waits until the client has read the rest, which a stalled client never does. A client that
        # has sent half a request must not delay the shutdown by the usual body timeout either.
        waited_seconds = asyncio.get_running_loop().time() - self._closing_since
        if waited_seconds < UNREAD_SECONDS / 2:
            return
        for connection in list(self.server_state.connections):
            if connection.transport.is_closing():
                connection.transport.abort()
            elif waited_seconds >= RECEIVE_SECONDS and isinstance(connection, LimitedHttp):
                connection.stop_receiving()


def _config(settings: Settings, app: ASGIApp, backlog: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        loop="none",
        http=LimitedHttp,
        ws=LimitedWebSocket,
        ws_max_size=LARGEST_MESSAGE,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,  # Events are small: a compression window per client would cost more memory than it saves bandwidth.
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=backlog,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def main() -> None:
    try:
        settings = settings_module.load()
        load_jobs(settings)
        check_kinds()
        refuse_unfit(settings.database)
    except (SettingsInvalid, JobInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process="api")
    raise_descriptor_limit()
    try:
        uvloop.run(_serve(settings))
    except serving.PortUnavailable as error:
        sys.exit(str(error))


async def _serve(settings: Settings) -> None:
    serving_requests = Server(settings)
    with (
        serving.serve(settings.metrics_port, faults=serving_requests.faults, host=settings.metrics_host),
        exporting("api", settings),
    ):
        await serving_requests.serve()
    if serving_requests.supervisor.failed:
        sys.exit(EXIT_LOOP_FAILED)


if __name__ == "__main__":
    main()

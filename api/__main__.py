"""`python -m api`: the server process. On SIGTERM or Ctrl-C it ends event streams at once and lets requests finish."""

import asyncio
import logging
import socket
import sys

import uvicorn
import uvloop

from api.app import build
from api.protocol.connection_limits import ConnectionLimits, places, raise_descriptor_limit
from api.protocol.http import LimitedHttp, LimitedState
from api.protocol.websocket import LimitedWebSocket
from infrastructure import settings as settings_module
from infrastructure.concurrency.gc_tuning import tune_gc
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.settings import Settings, SettingsInvalid
from monitoring.health import server as serving
from monitoring.health.event_loop import LoopBeat, keep_beating
from monitoring.logs.logging import configure

logger = logging.getLogger("api")

KEEP_ALIVE_SECONDS = 65
"""Longer than a load balancer's usual 60 s, so that it never sends a request on a connection that is closing."""
DRAIN_SECONDS = 30
UNREAD_SECONDS = 2.0
RECEIVE_SECONDS = 4.0
"""How long a stopping process waits for the rest of a request body."""
SILENT_SECONDS = 15.0
"""The liveness check fails when the event loop hasn't run for this long."""
CHECK_SECONDS = 1.0
"""Between two checks of the connections' timeouts."""
PING_SECONDS = 20.0
"""WebSocket keepalive: the interval between pings, and the timeout for a pong."""
LARGEST_MESSAGE = 64_000
"""Maximum size of a WebSocket message from a client, in bytes."""


class Server(uvicorn.Server):
    """uvicorn with connection limits, a liveness heartbeat, and a shutdown that doesn't wait for event streams to end."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event, limits: ConnectionLimits) -> None:
        super().__init__(config)
        self.server_state = LimitedState(limits)
        self._closing = closing
        self._limits = limits
        self.beat = LoopBeat(silent_after_seconds=SILENT_SECONDS)
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tasks = [
            asyncio.create_task(self._check_connections(), name="checks connections"),
            asyncio.create_task(keep_beating(self.beat), name="event loop heartbeat"),
        ]
        tune_gc()
        for listening in (one for started in self.servers for one in started.sockets):
            host, port = listening.getsockname()[:2]
            logger.info("ready: http://%s:%s", host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        aborting = asyncio.create_task(self._abort_unread(), name="aborts unread connections")
        try:
            await super().shutdown(sockets)
        finally:
            for task in (aborting, *self._tasks):
                task.cancel()

    async def _check_connections(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                self._limits.check(loop.time())
            except Exception:  # The loop's edge: a fault in one connection must not leave the others unchecked.
                logger.exception("connection check failed; trying again")

    async def _abort_unread(self) -> None:
        # A closing connection waits until the client has read the rest, which a stalled client never does. A client that
        # has sent half a request must not delay the shutdown by the usual body timeout either.
        began = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(UNREAD_SECONDS)
            unreceived = asyncio.get_running_loop().time() - began >= RECEIVE_SECONDS
            for connection in list(self.server_state.connections):
                if connection.transport.is_closing():
                    connection.transport.abort()
                elif unreceived and isinstance(connection, LimitedHttp):
                    connection.stop_receiving()


def server(settings: Settings) -> Server:
    """The API server, ready to run in this process."""
    closing = asyncio.Event()
    allowed = places(settings)
    config = uvicorn.Config(
        build(settings, closing),
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
        backlog=allowed.backlog,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return Server(config, closing, ConnectionLimits(allowed))


def main() -> None:
    try:
        settings = settings_module.load()
        refuse_unfit(settings.database)
    except (SettingsInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process="api")
    raise_descriptor_limit()
    try:
        uvloop.run(_serve(settings))
    except serving.PortUnavailable as error:
        sys.exit(str(error))


async def _serve(settings: Settings) -> None:
    serving_requests = server(settings)
    beating = serving_requests.beat.beating
    with serving.serve(settings.metrics_port, healthy=beating, host=settings.metrics_host):
        await serving_requests.serve()


if __name__ == "__main__":
    main()

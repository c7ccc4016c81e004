"""`python -m api`: serves until SIGTERM or Ctrl-C, then ends the streams at once and lets the requests finish."""

import asyncio
import logging
import socket
import sys

import uvicorn
import uvloop

from api.app import build
from infrastructure import settings as settings_module
from infrastructure.garbage import spare_the_collector
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.settings import Settings, SettingsInvalid
from monitoring.logging import configure

logger = logging.getLogger("api")

BACKLOG = 2_048
KEEP_ALIVE_SECONDS = 65
"""Longer than the 60 s after which load balancers close, so that they never meet a connection closing under them."""
DRAIN_SECONDS = 30
UNREAD_SECONDS = 2.0
LARGEST_MESSAGE = 64_000
"""Bytes that a watcher may send at a time."""


class Server(uvicorn.Server):
    """uvicorn, which by itself would wait for event streams to end, and they don't."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_the_collector()
        for listening in (one for started in self.servers for one in started.sockets):
            host, port = listening.getsockname()[:2]
            logger.info("ready: http://%s:%s", host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        aborting = asyncio.create_task(self._abort_unread(), name="aborts what nobody reads")
        try:
            await super().shutdown(sockets)
        finally:
            aborting.cancel()

    async def _abort_unread(self) -> None:
        # A closing connection waits for its reader to take the rest, and one that takes nothing never does.
        while True:
            await asyncio.sleep(UNREAD_SECONDS)
            for connection in list(self.server_state.connections):
                if connection.transport.is_closing():
                    connection.transport.abort()


def server(settings: Settings) -> Server:
    """The ingress, ready to run in this process."""
    closing = asyncio.Event()
    config = uvicorn.Config(
        build(settings, closing),
        host=settings.api_host,
        port=settings.api_port,
        loop="none",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # Events are small; a window for each watcher would cost more than it saves.
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return Server(config, closing)


def main() -> None:
    try:
        settings = settings_module.load()
        refuse_unfit(settings.database)
    except (SettingsInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process="api")
    uvloop.run(server(settings).serve())


if __name__ == "__main__":
    main()

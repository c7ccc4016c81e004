"""uvicorn's WebSocket protocol with limits that it lacks, and without error logs for clients that leave or stall."""

import asyncio
import logging
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from api.protocol.http import LimitedState
from api.protocol.unread import Unread
from monitoring.metrics import ingress as ingress_metrics

traffic = logging.getLogger("uvicorn.error.websocket")
# At INFO it logs every connection, and clients without a key could flood the log.
traffic.setLevel(logging.WARNING)


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. In the connection limits it replaces the HTTP connection of its handshake."""

    def __init__(
        self,
        config: Config,
        server_state: LimitedState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = server_state.limits
        self._unread = Unread()
        self.logger = self.conn.logger = traffic

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._limits.keep(self, None if self.client is None else self.client[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.leave(self)
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        await self.writable.wait()
        if self.handshake_complete and self.close_sent:
            # The server has closed it, for instance because pings weren't answered. For a task that still writes, that
            # is a disconnect; uvicorn would treat it as an application error.
            raise ClientDisconnected
        await super().send(message)

    def handle_cont(self, event: Frame) -> None:
        if event.data or event.fin:
            # Empty frames don't count towards the message size, so any number of them would be kept.
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self.frames = []
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            # Otherwise a client that sends pings and doesn't read the pongs would fill this buffer.
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        # Unread output may keep the connection open; its subscriptions end now.
        super().keepalive_timeout()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011})

    # Called by ConnectionLimits

    def idle_since(self) -> float | None:
        return None

    def evict(self) -> None:
        """Never called: a WebSocket is never idle."""

    def check(self, now: float) -> None:
        if self._unread.too_long(self.transport, now, waiting=not self.writable.is_set()):
            ingress_metrics.connection_refused("unread")
            self.transport.abort()


def _is_utf8(frames: list[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True

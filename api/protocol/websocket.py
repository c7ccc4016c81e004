"""One WebSocket, bounded where uvicorn's isn't, and silent about what is no error: that a watcher leaves or reads nothing."""

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
# Below this it writes lines for each connection, and whoever has no key may make those without end.
traffic.setLevel(logging.WARNING)


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol. Its place among the connections is the one that its handshake had."""

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
            # The server has ended it, for instance since nobody answers its pings. To whoever still writes, that is as
            # if the watcher had left; uvicorn takes it for a mistake of the application's.
            raise ClientDisconnected
        await super().send(message)

    def handle_cont(self, event: Frame) -> None:
        if event.data or event.fin:
            # Empty pieces add nothing to the size of a message, so any number of them would be kept.
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
            # Whoever sends pings and reads none of the answers would have them kept here.
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        # What it has yet to read may keep the connection open; what is told on it ends now.
        super().keepalive_timeout()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011})

    # What the limits call

    def quiet_since(self) -> float | None:
        return None

    def give_up_place(self) -> None:
        """Never asked for: it is never quiet."""

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

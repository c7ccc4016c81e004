"""What the ingress is measured against: bare Starlette that stores each request by one insert, and does nothing else.

No key is asked for, nothing is validated, no job runs. It is served as the product serves itself.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from uuid_utils.compat import uuid7

from api.__main__ import KEEP_ALIVE_SECONDS
from api.protocol.connection_limits import BACKLOG

PATH = "/kept"
CONNECTIONS = 16
TABLE = "CREATE TABLE kept (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), body jsonb NOT NULL)"
INSERT = "INSERT INTO kept (id, body) VALUES (%s, %s::jsonb)"

Connections = asyncio.LifoQueue["psycopg.AsyncConnection[tuple[object, ...]]"]


def application(database_url: str) -> Starlette:
    connections: Connections = asyncio.LifoQueue()

    @asynccontextmanager
    async def connected(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            for _number in range(CONNECTIONS):
                connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=0)
                connections.put_nowait(await opened.enter_async_context(connection))
            yield

    async def keep(request: Request) -> JSONResponse:
        body, identity = await request.body(), uuid7()
        connection = await connections.get()
        try:
            await connection.execute(INSERT, (identity, body.decode()))
        finally:
            connections.put_nowait(connection)
        return JSONResponse({"id": str(identity)}, status_code=202)

    return Starlette(routes=[Route(PATH, keep, methods=["POST"])], lifespan=connected)


class Server(uvicorn.Server):
    """Tells its address as the product does."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(f"ready: http://{host}:{port}", flush=True)


def main() -> None:
    config = uvicorn.Config(
        application(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=0,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    uvloop.run(Server(config).serve())


if __name__ == "__main__":
    main()

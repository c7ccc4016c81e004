"""One raw hop: bare Starlette that passes on a provider's stream, and does nothing else."""

import os
from collections.abc import AsyncIterator

import httpx
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tests.benchmarks.bare import Server


def application(upstream: str) -> Starlette:
    client = httpx.AsyncClient(trust_env=False, timeout=60)

    async def pass_on(request: Request) -> StreamingResponse:
        body, headers = await request.body(), {"authorization": request.headers["authorization"]}

        async def pieces() -> AsyncIterator[bytes]:
            async with client.stream("POST", upstream, content=body, headers=headers) as response:
                async for piece in response.aiter_raw():
                    yield piece

        return StreamingResponse(pieces(), media_type="text/event-stream")

    return Starlette(routes=[Route("/chat/completions", pass_on, methods=["POST"])])


if __name__ == "__main__":
    app = application(os.environ["UPSTREAM"])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, loop="none", http="httptools", log_level="warning")
    uvloop.run(Server(config).serve())

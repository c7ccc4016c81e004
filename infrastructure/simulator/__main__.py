"""`python -m infrastructure.simulator`: the simulated providers, until Ctrl-C. Prints where they are reached."""

import socket
import sys

import uvicorn
import uvloop

from infrastructure.simulator.app import app
from infrastructure.simulator.serving import Pace

MAX_CONNECTIONS = 5_000
BACKLOG = 2_048


def main(arguments: list[str]) -> int:
    host, port, *more = arguments
    pace = Pace(token_seconds=float(more[0])) if more else Pace()
    try:
        listening = socket.create_server((host, int(port)), backlog=BACKLOG)
    except OSError as error:
        sys.stderr.write(f"{host}:{port} can't be listened on: {error.strerror}. Another --port may do.\n")
        return 1
    address = f"http://{host}:{listening.getsockname()[1]}"
    sys.stdout.write(f"ready: {address}\n")
    sys.stdout.flush()
    uvloop.run(_serve(listening, pace))
    return 0


async def _serve(listening: socket.socket, pace: Pace) -> None:
    config = uvicorn.Config(
        app(pace),
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",  # A cut connection is what somebody asked for.
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    await server.serve(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

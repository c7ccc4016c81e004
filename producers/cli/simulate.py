"""`bucatini simulate`: stand-ins for outside systems, to try things without them."""

import os
import sys
from typing import Annotated

import typer

from producers.cli.lazy_group import command_group

app = command_group("Stand in for AI providers, with faults on demand.")

DEFAULT_PORT = 8900


@app.callback()
def simulate() -> None:
    """A group, though it has one command so far."""


@app.command()
def providers(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65_535)] = DEFAULT_PORT,
) -> None:
    """Stand in for OpenAI and Anthropic, with faults on demand.

    OPENAI_BASE_URL=http://127.0.0.1:8900/v1 and ANTHROPIC_BASE_URL=http://127.0.0.1:8900 lead there; any key is taken.
    POST /control/faults scripts a fault; GET /control/journal and /control/ledger show what came and what it cost.
    """
    sys.stdout.flush()
    arguments = ["-P", "-m", "infrastructure.simulator", host, str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  # no shell is wanted

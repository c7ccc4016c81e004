"""`bucatini simulate`: stand-ins for outside systems, to try things without them."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infrastructure.simulator.faults import FaultKind
from producers.cli.lazy_group import command_group
from producers.cli.output import EXIT_USAGE, One, Output, OutputOption, Rows, counted, print_error, print_view
from producers.cli.table import Column

if TYPE_CHECKING:
    import httpx

app = command_group("Stand in for AI providers, with faults on demand.")

DEFAULT_PORT = 8900

AddressOption = Annotated[
    str, typer.Option("--address", metavar="URL", help="Where `simulate providers` said that it is.")
]
DEFAULT_ADDRESS = f"http://127.0.0.1:{DEFAULT_PORT}"
BILL = (
    Column[Mapping[str, Any]]("provider", lambda one: str(one["provider"])),
    Column[Mapping[str, Any]]("model", lambda one: str(one["model"])),
    Column[Mapping[str, Any]]("calls", lambda one: f"{one['attempts']:,}", right=True),
    Column[Mapping[str, Any]]("charged", lambda one: f"{one['charged']:,}", right=True),
    Column[Mapping[str, Any]]("input", lambda one: f"{one['input_tokens']:,}", right=True),
    Column[Mapping[str, Any]]("output", lambda one: f"{one['output_tokens']:,}", right=True),
    Column[Mapping[str, Any]]("dollars", lambda one: str(one["dollars"]), right=True),
)


@app.command()
def providers(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65_535)] = DEFAULT_PORT,
    token_seconds: Annotated[float, typer.Option(help="how long a model takes for each token", min=0, max=60)] = 0.0,
) -> None:
    """Stand in for OpenAI and Anthropic, with faults on demand.

    OPENAI_BASE_URL=http://127.0.0.1:8900/v1 and ANTHROPIC_BASE_URL=http://127.0.0.1:8900 lead there; any key is taken.
    `simulate fault` scripts what goes wrong, `simulate pace` how fast it writes, `simulate bill` shows what it charged.
    """
    sys.stdout.flush()
    arguments = ["-P", "-m", "infrastructure.simulator", host, str(port), str(token_seconds)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  # no shell is wanted


@app.command()
def fault(
    kind: Annotated[FaultKind, typer.Argument(help="What goes wrong.")],
    provider: Annotated[str | None, typer.Option(help="Only at this one: openai or anthropic.")] = None,
    model: Annotated[str | None, typer.Option(help="Only for this model.")] = None,
    times: Annotated[int, typer.Option(min=1, help="How many calls meet it.")] = 1,
    after_tokens: Annotated[int | None, typer.Option(min=0, help="In a stream: after so many.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Of a stall or a delay.")] = None,
    address: AddressOption = DEFAULT_ADDRESS,
    output: OutputOption = Output.TABLE,
) -> None:
    """Script what the next calls meet."""
    wanted = {
        "kind": kind.value,
        "provider": provider,
        "model": model,
        "times": times,
        "after_tokens": after_tokens,
        "seconds": seconds,
    }
    scripted = {name: value for name, value in wanted.items() if value is not None}
    _ask(address, "POST", "/control/faults", scripted)
    calls = "call meets" if times == 1 else f"{times:,} calls meet"
    print_view(One(scripted, [f"The next {calls} {kind.value}."]), output)


@app.command()
def pace(
    first_token_seconds: Annotated[float, typer.Option(min=0, help="Until a model begins.")] = 0.0,
    token_seconds: Annotated[float, typer.Option(min=0, help="For each token.")] = 0.0,
    output_tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 40,
    address: AddressOption = DEFAULT_ADDRESS,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set how fast its models write, and how much."""
    wanted = {
        "first_token_seconds": first_token_seconds,
        "token_seconds": token_seconds,
        "output_tokens": output_tokens,
    }
    _ask(address, "PUT", "/control/pace", wanted)
    seconds = first_token_seconds + output_tokens * token_seconds
    print_view(One(wanted, [f"Its models write {output_tokens:,} tokens in {seconds:g} s."]), output)


@app.command()
def bill(address: AddressOption = DEFAULT_ADDRESS, output: OutputOption = Output.TABLE) -> None:
    """Show what it charged so far, by its own books."""
    ledger = _ask(address, "GET", "/control/ledger").json()
    note = f"{ledger['dollars']} dollars for {counted(ledger['attempts'], 'call')}"
    print_view(Rows(ledger["series"], BILL, "no calls so far", note), output)


def _ask(address: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> "httpx.Response":
    """The answer; ends the command when there is none, or when it is a refusal."""
    import httpx

    try:
        with httpx.Client(base_url=address, trust_env=False, timeout=10) as http:
            answer = http.request(method, path, json=body)
    except (httpx.TransportError, httpx.InvalidURL):
        problem = (
            f"nothing simulates providers at {address}: start it with `bucatini simulate providers`, or give --address"
        )
        raise typer.Exit(print_error(problem, EXIT_USAGE)) from None
    if answer.is_error:
        raise typer.Exit(print_error(f"{address}: {answer.text[:500]}", EXIT_USAGE))
    return answer

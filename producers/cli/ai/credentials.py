"""`bucatini ai credentials`: the tenant's own keys of providers. A key is typed or piped, and never an argument, which others
on the machine could read."""

import sys
from getpass import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ages import age
from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.table import Column
from schemas.ai.usage import CredentialState

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group("Set, list and remove your own keys of providers.")

MAX_KEY_CHARACTERS = 1_000
Provider = Annotated[str, typer.Argument(help="Such as openai or anthropic.")]
COLUMNS = (
    Column[CredentialState]("provider", lambda one: one.provider),
    Column[CredentialState]("ends in", lambda one: one.hint),
    Column[CredentialState]("age", lambda one: age(one.updated_at), right=True),
    Column[CredentialState]("set by", lambda one: one.updated_by, prose=True),
)


@app.command("list")
def list_credentials(output: OutputOption = Output.TABLE) -> None:
    """List the providers that have a key of yours; the keys are never shown."""
    show(lambda client: Rows(client.ai.credentials.list(), COLUMNS, "no keys: the deployment's are used"), output)


@app.command("set")
def set_credential(provider: Provider, output: OutputOption = Output.TABLE) -> None:
    """Set your key of a provider; it is asked for, or read from stdin."""

    def done(client: "Bucatini") -> View:
        stored = client.ai.credentials.set(provider, _typed_key())
        return One(stored, [f"your key of {provider} is set: it is used within two seconds"])

    show(done, output)


@app.command("remove")
def remove_credential(provider: Provider, output: OutputOption = Output.TABLE) -> None:
    """Remove your key of a provider: the deployment's is used, if it has one."""

    def removed(client: "Bucatini") -> View:
        client.ai.credentials.remove(provider)
        return One({"provider": provider}, [f"your key of {provider} is removed"])

    show(removed, output)


def _typed_key() -> str:
    key = (getpass("Key: ") if sys.stdin.isatty() else sys.stdin.read(MAX_KEY_CHARACTERS + 2)).strip()
    if not key:
        raise WrongUsage("no key was given: pipe it in, or type it when asked")
    if len(key) > MAX_KEY_CHARACTERS:
        raise WrongUsage(f"that is no key: it has more than {MAX_KEY_CHARACTERS:,} characters")
    return key

"""`bucatini api-keys`: who may ask for what in a tenant's name. All of it needs an admin key."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from producers.cli.ages import age
from producers.cli.ids import one_of, without_dots
from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View, WatchOption, coloured, print_note
from producers.cli.table import Column
from schemas.api_keys import ApiKey, NewApiKey, Scope

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group("Make, list and revoke API keys.")


def _state(key: ApiKey) -> Text:
    return coloured("active", "green") if key.revoked_at is None else coloured("revoked", "yellow")


COLUMNS = (
    Column[ApiKey]("id", lambda key: key.id),
    Column[ApiKey]("state", _state),
    Column[ApiKey]("age", lambda key: age(key.created_at), right=True),
    Column[ApiKey]("name", lambda key: key.name, prose=True),
    Column[ApiKey]("scopes", lambda key: ", ".join(key.scopes), prose=True),
)


@app.command("list")
def list_keys(output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """List API keys, revoked ones too, the newest first."""
    show(lambda client: Rows(client.api_keys.list(), COLUMNS, "no API keys"), output, watch=watch)


@app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="For people: what uses the key.")],
    scopes: Annotated[list[Scope], typer.Option("--scope", help="What it may do. Repeatable.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Make an API key; print its id and, this once, the key."""

    def created(client: "Bucatini") -> View:
        from pydantic import ValidationError

        from producers.cli.flaws import flaws_of

        try:
            wanted = NewApiKey(name=name, scopes=tuple(dict.fromkeys(scopes)))
        except ValidationError as error:
            raise WrongUsage(flaws_of(error, "API key")) from None
        key = client.api_keys.create(wanted)
        print_note("Keep the key: it isn't shown again.")
        return One(key, [f"id   {key.id}", f"key  {key.key}"])

    show(created, output)


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, or the first characters of it.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Revoke an API key: within five seconds it opens nothing any more. Repeating it is safe."""

    def revoked(client: "Bucatini") -> View:
        known = client.api_keys.list()
        key_id = one_of(without_dots(key), [(one.id, one.name) for one in known], "API key")
        client.api_keys.revoke(key_id)
        return One({"id": key_id, "state": "revoked"}, [f"API key {key_id} is revoked"])

    show(revoked, output)

"""`bucatini groups`: consumer groups, and taking their events as a member."""

from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ingress import run, show
from producers.cli.lazy_group import command_group
from producers.cli.output import Output, OutputOption, Rows, View, WatchOption, print_json
from producers.cli.table import Column
from schemas.groups import Group

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group("See consumer groups; take events as a member.")

COLUMNS = (
    Column[Group]("name", lambda group: group.name),
    Column[Group]("held", lambda group: str(group.held), right=True),
    Column[Group]("leased", lambda group: str(group.leased), right=True),
    Column[Group]("parked", lambda group: str(group.parked), right=True),
    Column[Group]("types", lambda group: ", ".join(group.types), prose=True),
)


@app.command("list")
def list_groups(output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """List consumer groups with what they hold."""

    def listed(client: "Bucatini") -> View:
        return Rows(client.groups.list(), COLUMNS, "no consumer groups")

    show(listed, output, watch=watch)


@app.command("follow")
def follow_group(
    group: Annotated[str, typer.Argument(help="The group's name.")],
    types: Annotated[list[str] | None, typer.Option("--type", help="Which events, such as 'ai.*'. Repeatable.")] = None,
) -> None:
    """Take the group's events as one of its members: print each as a line of JSON and acknowledge it, until Ctrl-C."""

    def follow(client: "Bucatini") -> None:
        for delivery in client.groups.subscribe(tuple(types or ("*",)), group=group):
            print_json(delivery.event.model_dump_json(exclude_none=True))
            delivery.ack()

    run(follow)

"""`bucatini groups`: consumer groups, and taking their events as a member."""

from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.output import print_json, print_models, run

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.groups import Group

groups_app = typer.Typer(name="groups", help="See consumer groups; take events as a member.", no_args_is_help=True)


@groups_app.command("list")
def list_groups(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List consumer groups with what they hold."""

    def list_all(client: "Bucatini") -> None:
        columns = ("name", "types", "held", "leased", "parked")
        print_models(client.groups.list(), columns, _row, as_json=as_json, wrap=True)

    run(list_all)


@groups_app.command("follow")
def follow_group(
    group: Annotated[str, typer.Argument(help="The group's name.")],
    types: Annotated[list[str] | None, typer.Option("--type", help="Which events, such as 'ai.*'. Repeatable.")] = None,
) -> None:
    """Take the group's events as one of its members: print and acknowledge each, until Ctrl-C."""

    def follow(client: "Bucatini") -> None:
        for delivery in client.groups.subscribe(tuple(types or ("*",)), group=group):
            print_json(delivery.event.model_dump_json(exclude_none=True))
            delivery.ack()

    run(follow)


def _row(group: "Group") -> tuple[str, ...]:
    return (group.name, ", ".join(group.types), str(group.held), str(group.leased), str(group.parked))

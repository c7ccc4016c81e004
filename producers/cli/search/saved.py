"""`bucatini search saved`: searches that tell of new documents."""

from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ages import age
from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.table import Column
from schemas.search import NamedSavedSearch

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.search import SearchQuery

app = command_group("Save searches that tell of new documents which match.")

Name = Annotated[str, typer.Argument(help="The saved search's name.")]


def _looks_for(saved: NamedSavedSearch) -> str:
    if saved.query.text is not None:
        return saved.query.text
    return saved.query.model_dump_json(include={"match", "filters"}, exclude_defaults=True)


SAVED = (
    Column[NamedSavedSearch]("name", lambda one: one.name),
    Column[NamedSavedSearch]("age", lambda one: age(one.updated_at), right=True),
    Column[NamedSavedSearch]("looks for", _looks_for, prose=True),
    Column[NamedSavedSearch]("description", lambda one: one.description, prose=True),
)


@app.command("list")
def list_saved(output: OutputOption = Output.TABLE) -> None:
    """List your saved searches by name."""
    show(lambda client: Rows(client.search.saved(), SAVED, "no saved searches"), output)


@app.command("add")
def add_saved(
    name: Name,
    text: Annotated[str | None, typer.Argument(help='What to look for: words, "a phrase", -without, begin*.')] = None,
    file: Annotated[
        str | None, typer.Option("--query", metavar="FILE", help="The whole search as JSON; - is stdin.")
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Save a search: the event search.saved_matched tells of what matches from now on."""
    if (text is None) is (file is None):
        raise typer.BadParameter("give either what to look for or --query")

    def added(client: "Bucatini") -> View:
        saved = client.search.add_saved(name, _query(text, file), description=description)
        return One(saved, [f"{saved.name} tells of documents that are indexed from now on"])

    show(added, output)


@app.command("remove")
def remove_saved(name: Name, output: OutputOption = Output.TABLE) -> None:
    """Remove a saved search."""

    def removed(client: "Bucatini") -> View:
        client.search.remove_saved(name)
        return One({"removed": name}, [f"removed {name}"])

    show(removed, output)


def _query(text: str | None, file: str | None) -> "SearchQuery":
    from pydantic import ValidationError

    from producers.cli.command_input import text_of
    from producers.cli.flaws import flaws_of
    from schemas.search import SearchQuery

    try:
        return SearchQuery(text=text) if file is None else SearchQuery.model_validate_json(text_of(file))
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "the search")) from None

"""`bucatini documents profile`: what is done with documents once they were imported."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.table import Column
from schemas.documents import IngestionProfile, NamedProfile, WorkflowStart

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group("What is done with documents once they were imported.")

PROFILES = (
    Column[NamedProfile]("profile", lambda one: one.name),
    Column[NamedProfile]("index", lambda one: "yes" if one.index else "no"),
    Column[NamedProfile]("process", lambda one: "yes" if one.process else "no"),
    Column[NamedProfile]("workflow", lambda one: "yes" if one.workflow else "no"),
)


@app.command("list")
def list_profiles(output: OutputOption = Output.TABLE) -> None:
    """List the ingestion profiles."""
    show(lambda client: Rows(client.documents.profiles.list(), PROFILES, "no profiles"), output)


@app.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(help="Its name.")] = "default", output: OutputOption = Output.TABLE
) -> None:
    """Show what a profile does."""
    show(lambda client: _profile(client.documents.profiles.get(name)), output)


@app.command("set")
def set_profile(
    name: Annotated[str, typer.Argument(help="Its name.")] = "default",
    index: Annotated[bool | None, typer.Option("--index/--no-index", help="Whether they can be found.")] = None,
    process: Annotated[bool | None, typer.Option("--process/--no-process", help="Whether facts are found.")] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="FILE", help="A workflow's definition as JSON; `none` for none; - is stdin.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a profile, or change what is named of it."""

    def changed(client: "Bucatini") -> View:
        return _profile(client.documents.profiles.set(name, _wanted(client, name, index, process, workflow)))

    show(changed, output)


@app.command("remove")
def remove_profile(name: Annotated[str, typer.Argument(help="Its name.")], output: OutputOption = Output.TABLE) -> None:
    """Remove a profile: imports that name it get `default`."""

    def removed(client: "Bucatini") -> View:
        client.documents.profiles.remove(name)
        return One({"name": name}, [f"profile {name} is removed"])

    show(removed, output)


def _wanted(client: "Bucatini", name: str, index: bool | None, process: bool | None, workflow: str | None) -> Any:
    from pydantic import ValidationError

    from producers.cli.command_input import text_of
    from producers.cli.flaws import flaws_of
    from producers.client import ProblemAnswer
    from schemas.workflow import Definition

    fields: dict[str, Any] = {"index": index, "process": process}
    fields = {one: value for one, value in fields.items() if value is not None}
    try:
        now = client.documents.profiles.get(name)
        fields = {"index": now.index, "process": now.process, "workflow": now.workflow, **fields}
    except ProblemAnswer as error:
        if error.status != 404:
            raise
    try:
        if workflow is not None:
            definition = None if workflow == "none" else Definition.model_validate_json(text_of(workflow))
            fields["workflow"] = None if definition is None else WorkflowStart(definition=definition)
        return IngestionProfile(**fields)
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "the workflow")) from None


def _profile(profile: NamedProfile) -> View:
    does = [name for name, wanted in (("index", profile.index), ("process", profile.process)) if wanted]
    if profile.workflow is not None:
        does.append("a workflow")
    return One(profile, [f"profile {profile.name}: {', '.join(does) or 'import only'}"])

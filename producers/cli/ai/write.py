"""`bucatini ai write`: a document, as it is written."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producers.cli.ingress import run
from producers.cli.output import One, Output, OutputOption, counted, print_note, print_view
from producers.cli.text import write_text

if TYPE_CHECKING:
    from events.ai import DocumentGenerated
    from producers.client import Bucatini
    from schemas.ai import GenerateDocument


def write_document(
    prompt: Annotated[str | None, typer.Option(metavar="NAME[@VERSION]", help="What a model writes from.")] = None,
    template: Annotated[str | None, typer.Option(help="A built-in template, which is filled instead.")] = None,
    label: Annotated[str | None, typer.Option(help="Of the prompt; production if none is given.")] = None,
    industry: Annotated[str | None, typer.Option(help="Its overlay: legal, tech or consulting.")] = None,
    title: Annotated[str | None, typer.Option(help="The document's; else the prompt's name.")] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=VALUE", help="The value is JSON, or else text. Repeatable."),
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="ID[@VERSION]", help="A stored document. Repeatable.")
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="ID", help="Keep it as this document.")] = None,
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    tone: Annotated[str, typer.Option(help="formal or plain.")] = "formal",
    models: Annotated[list[str] | None, typer.Option("--model", help="Best first. Repeatable.")] = None,
    max_cost: Annotated[str | None, typer.Option(metavar="DOLLARS", help="What it may cost at the most.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write a document and print it as it comes.

    From a prompt, which a model writes a section at a time, or from a template. What it cost is said on stderr.
    """
    if (prompt is None) is (template is None):
        raise typer.BadParameter("give either --prompt or --template")
    given = {
        "title": title or (prompt or template or "").partition("@")[0].replace("_", " ").capitalize(),
        "prompt": None if prompt is None else {**_ref("name", prompt), "label": label, "industry": industry},
        "template": template,
        "facts": variables or (),
        "inputs": [_ref("id", one) for one in inputs or ()],
        "store": None if store is None else {"id": store},
        "language": language,
        "tone": tone,
        "models": models or None,
        "max_cost_usd": max_cost,
    }

    def write(client: "Bucatini") -> None:
        job = client.submit(_command(given))
        if output is not Output.TABLE:
            job.result()
            print_view(One({"result": job.job.result}, []), output)
            return
        write_text(client, job.id)
        print_note(_said_of(job.result()))

    run(write)


def _ref(name: str, typed: str) -> dict[str, Any]:
    """`status_report@2`: an id may have such a sign in it, so what follows the last one is a version if it is a number."""
    found, separator, version = typed.rpartition("@")
    return {name: found, "version": int(version)} if separator and version.isdecimal() else {name: typed}


def _command(given: dict[str, Any]) -> "GenerateDocument":
    """WrongUsage for what makes no command."""
    from pydantic import ValidationError

    from producers.cli.command_input import assigned
    from producers.cli.flaws import flaws_of
    from producers.cli.ingress import WrongUsage
    from schemas.ai import GenerateDocument

    try:
        return GenerateDocument.model_validate({**given, "facts": dict(map(assigned, given["facts"]))})
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "what was typed")) from None


def _said_of(result: "DocumentGenerated") -> str:
    from schemas.ai.usage import plain_number

    made = result.provenance
    by = f"{', '.join(made.models) or result.provider.name}, {counted(made.calls, 'call')}"
    cost = f"{'' if made.priced else 'at least '}{plain_number(made.cost_usd)} dollars"
    stored = "" if result.stored is None else f"; kept as {result.stored.id}, version {result.stored.version}"
    return f"{by}, {cost}{stored}"

"""`bucatini search reindex`, `rollback`, `indexes` and `unindex`: the index itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ages import age
from producers.cli.ingress import run, show
from producers.cli.output import One, Output, OutputOption, Rows, View, counted, print_note, print_view
from producers.cli.sizes import size
from producers.cli.table import Column
from schemas.search import IndexGeneration

if TYPE_CHECKING:
    from producers.client import Bucatini

PROGRESSED = "job.progressed"

INDEXES = (
    Column[IndexGeneration]("generation", lambda one: one.generation),
    Column[IndexGeneration]("answers", lambda one: "yes" if one.answers else ""),
    Column[IndexGeneration]("documents", lambda one: f"{one.documents:,}", right=True),
    Column[IndexGeneration]("size", lambda one: size(one.bytes), right=True),
    Column[IndexGeneration]("age", lambda one: age(one.created_at), right=True),
)


def reindex(output: OutputOption = Output.TABLE) -> None:
    """Rebuild the index from your stored documents, and say how far it is. Searches go on meanwhile; Ctrl-C ends the watching
    only."""

    def rebuilt(client: "Bucatini") -> None:
        from schemas.search import Reindex

        job = client.submit(Reindex())
        print_note(f"job {job.id}")
        for event in job.events():
            if event.type == PROGRESSED and event.data:
                print_note(event.data.get("message", ""))
        made = job.result()
        said = f"generation {made.generation} answers: {counted(made.documents, 'document')} in {made.seconds:.1f} s"
        print_view(One(made, [said]), output)

    run(rebuilt)


def roll_back(output: OutputOption = Output.TABLE) -> None:
    """Let the index before the last rebuild answer again."""

    def back(client: "Bucatini") -> View:
        from schemas.search import RollBack

        result = client.submit(RollBack()).result()
        return One(result, [f"generation {result.generation} answers"])

    show(back, output)


def list_indexes(output: OutputOption = Output.TABLE) -> None:
    """List the index and its earlier generations."""
    show(lambda client: Rows(client.search.indexes().indexes, INDEXES, "nothing is indexed yet"), output)


def unindex(
    documents: Annotated[list[str], typer.Argument(metavar="ID...", help="The documents' ids.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Take documents out of the index. They stay stored, and can be indexed again."""

    def removed(client: "Bucatini") -> View:
        removals = [client.search.unindex(one) for one in documents]
        for removal in removals:
            client.jobs.get(removal.job_id).result()
        return One({"unindexed": documents}, [f"{one} is found no more" for one in documents])

    show(removed, output)

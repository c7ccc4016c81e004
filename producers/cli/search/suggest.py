"""`bucatini search suggest`: what somebody who began to type may mean."""

from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ingress import show
from producers.cli.output import One, Output, OutputOption, View

if TYPE_CHECKING:
    from producers.client import Bucatini


def suggest(
    beginning: Annotated[str, typer.Argument(help="What was typed so far.")],
    limit: Annotated[int | None, typer.Option(min=1, max=20, help="So many at the most.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Complete a beginning by titles and words of your documents."""

    def suggested(client: "Bucatini") -> View:
        found = client.search.suggest(beginning, limit=limit)
        lines = [one.text for one in found.suggestions] or ["nothing begins so"]
        if found.did_you_mean is not None:
            lines.append(f"did you mean: {found.did_you_mean}")
        return One(found, lines)

    show(suggested, output)

"""`bucatini search advise` and `slow`: which searches take long, and how to ask for the same sooner."""

from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ages import age
from producers.cli.ingress import WrongUsage, show
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.table import Column
from schemas.search import Advice, Rewrite, RewriteOutcome, SlowQuery

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.search import SearchQuery

SLOW = (
    Column[SlowQuery]("id", lambda one: str(one.id)),
    Column[SlowQuery]("age", lambda one: age(one.at), right=True),
    Column[SlowQuery]("took s", lambda one: f"{one.took_seconds:.3f}", right=True),
    Column[SlowQuery]("hits", lambda one: f"{one.hits:,}", right=True),
    Column[SlowQuery]("clauses", lambda one: " ".join(f"{op}:{count}" for op, count in one.shape.ops.items())),
    Column[SlowQuery]("filters", lambda one: " ".join(one.shape.filters)),
    Column[SlowQuery]("facets", lambda one: " ".join(one.shape.facets)),
    Column[SlowQuery]("page", lambda one: f"{one.shape.offset}+{one.shape.limit}", right=True),
)


def list_slow_queries(output: OutputOption = Output.TABLE) -> None:
    """List searches that took long, the newest first, without their words."""
    show(lambda client: Rows(list(client.search.slow_queries()), SLOW, "no slow searches"), output)


def advise(
    search: Annotated[
        str, typer.Argument(metavar="SEARCH", help="A file with the search as JSON, - for stdin, or a slow one's id.")
    ],
    output: OutputOption = Output.TABLE,
) -> None:
    """Replay a search and its rewrites; say which finds the same sooner. Changes nothing."""

    def advised(client: "Bucatini") -> View:
        if (slow := _id(search)) is not None:
            advice = client.search.advise(slow_query_id=slow)
        else:
            advice = client.search.advise(_query(search))
        return One(advice, list(lines_of(advice)))

    show(advised, output)


def lines_of(advice: Advice) -> list[str]:
    """As people read it: what is faster with the whole search to send, the rest in a line each."""
    lines = [f"{advice.took_seconds * 1_000:.1f} ms for {advice.hits:,} hits (median of {advice.runs} runs, no cache)"]
    if not advice.rewrites:
        return [*lines, "no rule applies"]
    for rewrite in advice.rewrites:
        lines += ["", f"{rewrite.rule}: {rewrite.why}", f"  {_outcome(rewrite)}"]
        if rewrite.outcome is RewriteOutcome.FASTER:
            lines.append(f"  {rewrite.query.model_dump_json(exclude_none=True)}")
    return lines


def _outcome(rewrite: Rewrite) -> str:
    match rewrite.outcome:
        case RewriteOutcome.FASTER:
            return f"the same hits, {rewrite.gain} times as fast:"
        case RewriteOutcome.NO_GAIN:
            return f"the same hits, hardly sooner ({rewrite.gain} times as fast)"
        case RewriteOutcome.OTHER_HITS:
            return "has other hits here"


def _id(given: str) -> str | None:
    from uuid import UUID

    try:
        return str(UUID(given))
    except ValueError:
        return None


def _query(file: str) -> "SearchQuery":
    from pydantic import ValidationError

    from producers.cli.command_input import text_of
    from producers.cli.flaws import flaws_of
    from schemas.search import SearchQuery

    try:
        return SearchQuery.model_validate_json(text_of(file))
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "the search")) from None

"""`bucatini ai estimate`: what a job would cost."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ingress import WrongUsage, show
from producers.cli.output import One, Output, OutputOption, View, counted
from producers.cli.submit import CommandFile, Fields, KindArgument, TextFile

if TYPE_CHECKING:
    from decimal import Decimal

    from producers.cli.command_input import Given
    from producers.client import Bucatini
    from schemas.ai import ModelCommand
    from schemas.ai.usage import CostEstimate


def show_estimate(
    kind: KindArgument,
    command_file: CommandFile = None,
    text_file: TextFile = None,
    title: Annotated[str | None, typer.Option(help="The document's title.")] = None,
    fields: Fields = None,
    deadline: Annotated[datetime | None, typer.Option(help="What has time goes a cheaper way (UTC).")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what a job would cost. Nothing is submitted."""
    from producers.cli.command_input import Given

    given = Given(command_file, text_file, title, tuple(fields or ()))
    by = deadline.replace(tzinfo=UTC) if deadline else None

    def view(client: "Bucatini") -> View:
        estimate = client.ai.estimate(_command(kind, given), deadline=by)
        return One(estimate, _lines(estimate))

    show(view, output)


def _command(kind: str, given: "Given") -> "ModelCommand":
    """WrongUsage for what makes no command, or one whose jobs call no model."""
    from producers.cli.command_input import command_from
    from schemas.ai import ModelCommand

    command = command_from(kind, given)
    if not isinstance(command, ModelCommand):
        raise WrongUsage(f"jobs of {kind} call no model, and cost nothing")
    return command


def _lines(one: "CostEstimate") -> list[str]:
    calls = f"{counted(one.calls, 'call')} of {one.model}, {one.lane}"
    tokens = f"about {one.input_tokens:,} tokens in, at most {one.max_output_tokens:,} out"
    likely = "nobody knows its price" if one.likely_usd is None else f"likely {_dollars(one.likely_usd)} dollars"
    limits = [f"at most {_dollars(one.max_usd)}"] if one.max_usd is not None else []
    limits += [f"95 % of such jobs cost at most {_dollars(one.p95_usd)}"] if one.p95_usd is not None else []
    left = [f"left today: {_dollars(one.left_today_usd)}"] if one.left_today_usd is not None else []
    left += [f"left this month: {_dollars(one.left_this_month_usd)}"] if one.left_this_month_usd is not None else []
    fits = [] if one.fits else ["it doesn't fit into what may be spent"]
    return [f"{calls}: {tokens}", "; ".join([likely, *limits]), *left, *fits]


def _dollars(amount: "Decimal") -> str:
    return f"{amount.normalize():f}"

"""`bucatini prompts label`, `rollback`, `history` and `exposures`: where a prompt's labels point."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ages import age
from producers.cli.ingress import WrongUsage, show
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.table import Column
from schemas.ai.labels import PromptExposure, PromptLabelState
from schemas.ai.prompts import Industry

if TYPE_CHECKING:
    from producers.client import Bucatini

Name = Annotated[str, typer.Argument(help="The prompt's name.")]
Label = Annotated[str, typer.Option(help="Which label.")]
Because = Annotated[str, typer.Option(help="Why, for people.")]


def _shares(state: PromptLabelState) -> str:
    if len(state.variants) == 1:
        return str(state.variants[0].version)
    return " ".join(f"{one.version}={one.percent}%" for one in state.variants)


MOVES = (
    Column[PromptLabelState]("points to", _shares),
    Column[PromptLabelState]("industry", lambda one: one.industry or ""),
    Column[PromptLabelState]("age", lambda one: age(one.moved_at) if one.moved_at else "", right=True),
    Column[PromptLabelState]("by", lambda one: one.moved_by),
    Column[PromptLabelState]("because", lambda one: one.because, prose=True),
)

EXPOSURES = (
    Column[PromptExposure]("version", lambda one: str(one.version), right=True),
    Column[PromptExposure]("label", lambda one: one.label or ""),
    Column[PromptExposure]("jobs", lambda one: f"{one.jobs:,}", right=True),
    Column[PromptExposure]("subjects", lambda one: f"{one.subjects:,}", right=True),
)


def move_label(
    name: Name,
    versions: Annotated[list[str], typer.Argument(metavar="VERSION…", help="A version, or several as 3=20 1=80.")],
    label: Label = "production",
    because: Because = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Point a label to a version, or split it by percentages. A version of an overlay moves it for its industry."""

    def moved(client: "Bucatini") -> View:
        state = client.prompts.labels.move(name, _wanted(versions), label=label, because=because)
        return One(state, lines([state]))

    show(moved, output)


def roll_back(
    name: Name,
    label: Label = "production",
    industry: Annotated[Industry | None, typer.Option(help="Of an overlay.")] = None,
    because: Because = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Move a label back to where it pointed before; again, one further back."""

    def rolled_back(client: "Bucatini") -> View:
        state = client.prompts.labels.roll_back(name, label, industry=industry, because=because)
        return One(state, lines([state]))

    show(rolled_back, output)


def show_history(
    name: Name,
    label: Label = "production",
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List a label's moves, the newest first."""

    def listed(client: "Bucatini") -> View:
        return Rows(list(islice(client.prompts.labels.history(name, label), limit)), MOVES, "it was never moved")

    show(listed, output)


def show_exposures(name: Name, output: OutputOption = Output.TABLE) -> None:
    """Count the jobs of the last 30 days by the version that they were written with."""
    show(lambda client: Rows(client.prompts.labels.exposures(name), EXPOSURES, "no jobs were written with it"), output)


def lines(states: Sequence[PromptLabelState]) -> list[str]:
    return [f"{one.label} → {_shares(one)}{f' for {one.industry}' if one.industry else ''}" for one in states]


def where(states: Sequence[PromptLabelState]) -> str:
    return ", ".join(f"{_shares(one)}{f' ({one.industry})' if one.industry else ''}" for one in states)


def _wanted(given: Sequence[str]) -> dict[int, int]:
    shares: dict[int, int] = {}
    for one in given:
        version, _, percent = one.partition("=")
        try:
            shares[int(version)] = int(percent) if percent else 100
        except ValueError:
            raise WrongUsage(f"{one!r} is neither a version nor one with its percentage, such as 3=20") from None
    if sum(shares.values()) != 100:
        raise WrongUsage("the percentages must add up to 100")
    return shares

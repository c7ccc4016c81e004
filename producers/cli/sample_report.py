"""What the terminal shows of the samples: their events as they arrive, what came of them, and what is found among them."""

from datetime import datetime

from rich.console import Console
from rich.table import Table

from events.jobs import ENDINGS, JobEvent
from producers.cli.output import cell, counted, print_table
from producers.cli.samples import Answered, Arrived, Finished, Imported
from schemas.jobs import JobState

NAME_WIDTH = 44
KIND_WIDTH = 21
WIDE = 120
COLUMNS = {"document": 16, "state": 9, "ms": 6, "in": 2, "parties": 11, "amounts": 11, "dates": 10, "key phrase": 8}
"""The summary's, each with the characters it gets in a terminal that isn't wide."""
WHOLE = ("state", "ms", "in")
"""Never cut."""


def print_arrived(console: Console, arrived: Arrived) -> None:
    """One line for one event, with the clock of this machine."""
    clock = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
    what = f"{cell(arrived.sample):{NAME_WIDTH}} {arrived.kind:{KIND_WIDTH}}"
    said = f"{what} [{_colour(arrived.type)}]{arrived.type}[/]{_progress(arrived)}"
    console.print(f"[dim]{clock}[/] {said}")


def print_summary(console: Console, imported: Imported) -> None:
    """One row for each document: its end, how long that took, and what was found in it. Whole where it is piped. Then a
    search's hits."""
    narrow = console.is_terminal and console.width < WIDE
    table = Table(box=None, padding=(0, 1 if narrow else 2, 0, 0), header_style="bold")
    for name, narrow_width in COLUMNS.items():
        table.add_column(
            name,
            max_width=narrow_width if narrow and name not in WHOLE else None,
            min_width=narrow_width if name in WHOLE else None,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if name == "ms" else "left",
        )
    for done in imported.finished:
        table.add_row(*_row(done))
    console.print()
    if console.is_terminal:
        console.print(table, soft_wrap=False)
    else:
        print_table(table)
    providers = sorted({done.facts["provider"]["name"] for done in imported.finished if done.facts})
    succeeded = len(imported.finished) - imported.failed
    console.print(f"{succeeded} of {len(imported.finished)} succeeded; provider: {', '.join(providers) or 'none'}")
    if imported.answered is not None:
        _print_hits(console, imported.answered)


def _print_hits(console: Console, answered: Answered) -> None:
    found = counted(answered.results.total, "document")
    console.print(f"\na search for [bold]{cell(answered.words)}[/] finds {found}:")
    for hit in answered.results.hits:
        snippet = "" if hit.snippet is None else " ".join(hit.snippet.text.split())
        console.print(f"  [bold]{cell(hit.title)}[/] [dim]({cell(hit.document_id)})[/]\n    {cell(snippet)}")


def _row(done: Finished) -> tuple[str, ...]:
    state = f"[{'green' if done.state is JobState.SUCCEEDED else 'red'}]{done.state}[/]"
    start = (cell(done.sample), state, "-" if done.milliseconds is None else f"{done.milliseconds:.0f}")
    if done.facts is None:
        return (*start, "", "", "", "", cell(done.reason))
    return (
        *start,
        done.facts["language"]["code"],
        _first_of([party["name"] for party in done.facts["parties"]]),
        _first_of([f"{amount['value']} {amount['currency']}" for amount in done.facts["amounts"]]),
        _first_of([date["iso"] or date["text"] for date in done.facts["dates"]]),
        next((cell(phrase["text"]) for phrase in done.facts["key_phrases"]), ""),
    )


def _first_of(values: list[str]) -> str:
    """The first, and how many more there are."""
    return cell(values[0] + (f" +{len(values) - 1}" if len(values) > 1 else "")) if values else ""


def _colour(event_type: str) -> str:
    if event_type not in ENDINGS:
        return "cyan"
    return "green" if event_type == JobEvent.SUCCEEDED else "red"


def _progress(arrived: Arrived) -> str:
    fraction = arrived.data.get("fraction")
    return f" {fraction:.0%}" if isinstance(fraction, int | float) else ""

"""How a job, its timeline and its events look to a person."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text

from producers.cli.ages import age, duration
from producers.cli.output import One, coloured, printable
from producers.cli.table import Column, table_lines
from schemas.jobs import Job, JobState, Timeline, TimelineEntry

if TYPE_CHECKING:
    from events.envelope import CloudEvent

COLOURS = {"succeeded": "green", "failed": "red", "dead": "red", "cancelled": "yellow", "running": "cyan"}
SHOWN_DATA = ("kind", "attempt", "fraction", "message", "reason", "by", "problem")
"""What a watched event shows of its data; a result would fill the screen."""


def state_text(state: str) -> Text:
    return coloured(state, COLOURS.get(state, ""))


def problem_text(problem: Any) -> str:
    """The problem as a person reads it: what happened, and its detail."""
    if isinstance(problem, Mapping):
        title, detail = problem.get("title", ""), problem.get("detail", "")
    else:
        title, detail = problem.title, problem.detail
    return f"{title}: {detail}" if detail else str(title)


def _took(job: Job) -> str:
    if job.started_at is None or (job.finished and job.finished_at is None):
        return ""
    return duration(job.started_at, job.finished_at)


JOB_COLUMNS = (
    Column[Job]("id", lambda job: str(job.id)),
    Column[Job]("kind", lambda job: job.kind),
    Column[Job]("state", lambda job: state_text(job.state)),
    Column[Job]("age", lambda job: age(job.created_at), right=True),
    Column[Job]("took", _took, right=True),
    Column[Job]("problem", lambda job: problem_text(job.problem) if job.problem else "", prose=True),
)


def job_view(job: Job, timeline: Timeline, width: int | None) -> One:
    """All of one job: what happened to it, and its result or its problem."""
    return One(job, list(_lines(job, timeline, width)), over=job.finished)


def _lines(job: Job, timeline: Timeline, width: int | None) -> Iterator[Text]:
    attempts = f"attempt {job.attempt} of {job.max_attempts}"
    yield Text("  ").join([Text(str(job.id), "bold"), Text(printable(job.kind)), state_text(job.state), Text(attempts)])
    yield Text(f"submitted {job.created_at:%Y-%m-%d %H:%M:%S} UTC, {age(job.created_at)} ago")
    yield Text()
    rows = [[Text(printable(cell)) for cell in _entry(entry, job)] for entry in timeline.entries]
    columns = [Column[Any](name, str, prose=name == "data") for name in ("", "at", "event", "data")]
    yield from table_lines(rows, columns, width)
    if job.problem is not None:
        yield Text()
        yield Text(printable(problem_text(job.problem)), "red")
        for error in job.problem.errors:
            yield Text(f"  {printable(error.pointer)}: {printable(error.detail)}")
    if job.result is not None:
        yield Text()
        yield from (Text(printable(line)) for line in json.dumps(job.result, indent=2, ensure_ascii=False).split("\n"))
    if job.result_url is not None:
        size = "" if job.result_bytes is None else f" ({job.result_bytes:,} bytes)"
        yield Text(f"its result{size} is at GET {printable(job.result_url)}")


def _entry(entry: TimelineEntry, job: Job) -> tuple[str, str, str, str]:
    repeats_the_end = entry.data == job.result or (job.state is JobState.SUCCEEDED and entry.type == "job.succeeded")
    data = "" if entry.data is None or repeats_the_end else in_a_line(entry.data)
    return (str(entry.seq), f"{entry.at:%H:%M:%S.%f}"[:-3], entry.type, data)


def event_line(event: "CloudEvent", *, with_job: bool) -> Text:
    shown = in_a_line({name: value for name, value in (event.data or {}).items() if name in SHOWN_DATA})
    job = [Text(printable(event.subject))] if with_job else []
    parts = [Text(f"{event.time:%H:%M:%S}", "dim"), *job, Text(printable(event.type), "bold"), Text(printable(shown))]
    return Text(" ").join(part for part in parts if part.plain)


def in_a_line(data: Mapping[str, Any]) -> str:
    """Fields as `name=value`; a problem as its words, other structures as JSON."""
    return " ".join(_shown(name, value) for name, value in data.items())


def _shown(name: str, value: Any) -> str:
    match value:
        case {"title": str()}:
            return problem_text(value)
        case dict() | list():
            return f"{name}={json.dumps(value, ensure_ascii=False)}"
        case _:
            return f"{name}={value}"

"""Answers what models were used and what it cost, added up, as JSON or as a table for a spreadsheet."""

from datetime import UTC, datetime, timedelta
from functools import partial

from api.auth.principal import Scope, allows
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, Either, Header, Media, json_answer
from infrastructure.celery.keys import NORMAL_STEP
from infrastructure.postgres.ai import usage
from infrastructure.postgres.ai.usage import MAX_ROWS, TooManyGroups, UsageQuestion
from schemas.ai.usage import MAX_PERIOD_DAYS, GroupBy, UsageFormat, UsagePeriod, UsageQuery, UsageReport
from schemas.ai.usage_table import table_of
from schemas.problems import FieldProblem

PATH = "/api/ai/usage"
CSV = "text/csv"
SECONDS = 60.0
FILE: Header = (b"content-disposition", b'attachment; filename="usage.csv"')
UNKEPT: Header = (b"cache-control", b"no-store")


async def show_usage(call: Call[Empty, UsageQuery]) -> Answer:
    report = await _report(call, call.query)
    return _table(report, call.query) if _wants_table(call) else json_answer(200, report)


async def show_usage_table(call: Call[Empty, UsagePeriod]) -> Answer:
    return _table(await _report(call, call.query), call.query)


def _wants_table(call: Call[Empty, UsageQuery]) -> bool:
    if call.query.format is not None:
        return call.query.format is UsageFormat.CSV
    first = call.headers.get("accept", "").split(",")[0]
    return first.split(";")[0].strip().lower() == CSV


async def _report(call: Call[Empty, UsageQuery] | Call[Empty, UsagePeriod], period: UsagePeriod) -> UsageReport:
    question = _question(period, call.ingress.clock.now())
    try:
        async with call.ingress.reports.one(NORMAL_STEP, call.tenant_id):
            if GroupBy.TENANT in question.by and allows(call.principal, Scope.TENANTS_ADMIN):
                return await call.ingress.operator.run(partial(usage.usage_of_all, question=question))
            return await call.db.run(usage.usage_of, question)
    except TooManyGroups:
        detail = f"these are more than {MAX_ROWS:,} rows; ask for a shorter time, or for fewer distinctions"
        raise problems.invalid_query([FieldProblem(pointer="/query/by", detail=detail)]) from None


def _question(period: UsagePeriod, now: datetime) -> UsageQuestion:
    until = period.until or now
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    question = UsageQuestion(min(month, until) if period.since is None else period.since, until, period.groups)
    if question.until - question.since > timedelta(days=MAX_PERIOD_DAYS):
        detail = f"must be at most {MAX_PERIOD_DAYS} days before until"
    elif period.since is not None and question.since >= question.until:
        detail = "must be earlier than until"
    else:
        return question
    raise problems.invalid_query([FieldProblem(pointer="/query/since", detail=detail)])


def _table(report: UsageReport, period: UsagePeriod) -> Answer:
    body = table_of(report.rows, period.groups).encode()
    return Answer(200, body, f"{CSV}; charset=utf-8; header=present".encode(), (UNKEPT, FILE))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        summary="Show what models were used for, and what it cost",
        description=(
            "Adds up the ledger of model calls, by the time when each began. `cost_usd` has what is known: `unpriced` counts "
            f"the calls whose cost nobody knows. At most {MAX_ROWS:,} rows. With `by=tenant` and the scope `tenants:admin` it "
            "is of all tenants. As `text/csv` it has the rows alone, so that their sums are right."
        ),
        handle=show_usage,
        query=UsageQuery,
        headers=("accept",),
        answers={200: Either(UsageReport, Media(CSV))},
        scope=Scope.AI_READ,
        seconds=SECONDS,
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}.csv",
        summary="Show the same as comma-separated values",
        handle=show_usage_table,
        query=UsagePeriod,
        answers={200: Media(CSV, "The rows, with a header.")},
        scope=Scope.AI_READ,
        seconds=SECONDS,
    ),
)

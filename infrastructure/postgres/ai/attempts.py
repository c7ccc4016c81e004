"""The rows of the ledger: one an attempt, written before the call and ended after it, many callers' at a time."""

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from infrastructure.ports.ai.ledger import CACHED, SHARED, AttemptEnd, JobSpending, NewAttempt
from infrastructure.ports.ai.request import Lane
from infrastructure.ports.ai.response import TokenCounts, Usage
from infrastructure.postgres import binary
from infrastructure.postgres.ai.paid_answers import KEEP, SealedAnswer, hold_keys, kept_with
from infrastructure.postgres.prepared import Call, Prepared, fetch, fetch_together
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.usage import SPEND

OPEN: Final = "open"
LOST: Final = "lost"
"""Its process died, or took longer than any call may: what it cost is unknown."""
MAX_WORD: Final = 200
"""Characters of a provider's own word, such as an error code."""
MAX_USAGE_BYTES: Final = 65_536
MAX_ATTEMPTS_READ: Final = 200
MAX_BIGINT: Final = 2**63 - 1
MAX_INT: Final = 2**31 - 1

_BEGUN = """
unnest(%(id)b::uuid[], %(tenant_id)b::uuid[], %(job_id)b::uuid[], %(job_attempt)b::int[], %(kind)b::text[], %(purpose)b::text[],
  %(section)b::int[], %(prompt)b::text[], %(prompt_version)b::int[], %(provider)b::text[], %(model)b::text[], %(lane)b::text[],
  %(own_key)b::int[], %(reserved_usd)b::text[]"""
_BEGUN_COLUMNS = (
    "id, tenant_id, job_id, job_attempt, kind, purpose, section, prompt, prompt_version, provider, model, lane, own_key, "
    "reserved_usd"
)
BEGUN_COLUMNS: Final = tuple(_BEGUN_COLUMNS.split(", "))
_BEGUN_VALUES = (
    "d.id, d.tenant_id, d.job_id, d.job_attempt, d.kind, d.purpose, d.section, d.prompt, d.prompt_version, d.provider, "
    "d.model, d.lane, d.own_key = 1, d.reserved_usd::numeric"
)
# Nothing is written of a tenant that is being erased, or it would outlive the proof.
_NOT_ERASED = """
WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = d.tenant_id AND t.state IN ('erasing', 'erased')) ORDER BY d.id"""

# Returns those that may be made, a repeated one too.
_BEGIN = Prepared(
    "begin_attempts",
    f"""
WITH d AS MATERIALIZED (
  SELECT d.* FROM {_BEGUN}) AS d ({_BEGUN_COLUMNS}) {_NOT_ERASED}),
written AS (
  INSERT INTO ai_service_requests ({_BEGUN_COLUMNS}, outcome) SELECT {_BEGUN_VALUES}, '{OPEN}' FROM d
  ON CONFLICT (id) DO NOTHING)
SELECT id FROM d
""",
)

_ENDED = (
    "outcome, accepted, usage, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd, "
    "price_source, shadow_usd, status, error_code, request_id, served_model, served_tier, finish_reason, first_token_ms, "
    "total_ms"
)
_SET = ", ".join(f"{column} = excluded.{column}" for column in (*_ENDED.split(", "), "ended_at", "priced"))
# One whose process seemed to have died may still end: then its cost is known after all.
_END = Prepared(
    "end_attempts",
    f"""
WITH ended AS (
  INSERT INTO ai_service_requests AS r ({_BEGUN_COLUMNS}, {_ENDED}, ended_at, priced)
  SELECT {_BEGUN_VALUES}, d.outcome, d.accepted = 1, d.usage::jsonb, d.input_tokens, d.output_tokens, d.cache_read_tokens,
    d.cache_write_tokens, d.cost_usd::numeric, d.price_source, d.shadow_usd::numeric, d.status, d.error_code, d.request_id,
    d.served_model, d.served_tier, d.finish_reason, d.first_token_ms, d.total_ms, now(), d.cost_usd IS NOT NULL
  FROM {_BEGUN}, %(outcome)b::text[], %(accepted)b::int[], %(usage)b::text[], %(input_tokens)b::bigint[],
    %(output_tokens)b::bigint[], %(cache_read_tokens)b::bigint[], %(cache_write_tokens)b::bigint[], %(cost_usd)b::text[],
    %(price_source)b::text[], %(shadow_usd)b::text[], %(status)b::int[], %(error_code)b::text[], %(request_id)b::text[],
    %(served_model)b::text[], %(served_tier)b::text[], %(finish_reason)b::text[], %(first_token_ms)b::float8[],
    %(total_ms)b::float8[]) AS d ({_BEGUN_COLUMNS}, {_ENDED}) {_NOT_ERASED}
  ON CONFLICT (id) DO UPDATE SET {_SET} WHERE r.ended_at IS NULL OR r.outcome = '{LOST}'
  RETURNING id, tenant_id, job_id, section, cost_usd),
{KEEP},
spent AS (SELECT tenant_id, sum(cost_usd) AS dollars FROM ended WHERE cost_usd > 0 GROUP BY tenant_id)
{SPEND}
""",
)

_FREE = f"outcome IN ('{CACHED}', '{SHARED}')"
_SPENT_BY_JOB = f"""
SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0), count(*) FILTER (WHERE NOT priced), coalesce(sum(cost_usd), 0),
  count(*) FILTER (WHERE NOT {_FREE}), count(*) FILTER (WHERE {_FREE})
FROM ai_service_requests WHERE tenant_id = %s AND job_id = %s
"""
_OF_JOB = f"""
SELECT {_BEGUN_COLUMNS}, {_ENDED}, ended_at IS NOT NULL AND outcome <> '{LOST}' FROM ai_service_requests
WHERE tenant_id = %s AND job_id = %s ORDER BY created_at, id LIMIT {MAX_ATTEMPTS_READ}
"""


async def begin(connection: Connection, attempts: Sequence[NewAttempt]) -> set[UUID]:
    """Writes the attempts down, each once, and returns the ids of those that may be made: all but those of tenants that are
    being erased."""
    return {attempt_id for (attempt_id,) in await fetch(connection, _BEGIN(**_begun(attempts)))}


async def end(
    connection: Connection, ended: Sequence[tuple[NewAttempt, AttemptEnd]], answers: Sequence[SealedAnswer] = ()
) -> None:
    """Ends the attempts, adds what they cost to the tenants' amounts, and keeps the answers of those that it ended, in one
    transaction and whatever the limits are. What has ended stays as it is."""
    call = _end_call(ended, answers)
    if not answers:
        await fetch(connection, call)
        return
    kept = {attempt_id for attempt_id, _, _ in answers}
    await fetch_together(connection, hold_keys([one.tenant_id for one, _ in ended if one.id in kept]), call)


async def spent_by_job(connection: Connection, tenant_id: UUID, job_id: UUID) -> JobSpending:
    row = await (await connection.execute(_SPENT_BY_JOB, (tenant_id, job_id))).fetchone()
    assert row is not None, "a sum is one row"
    return JobSpending(*row)


async def of_job(
    connection: Connection, tenant_id: UUID, job_id: UUID
) -> tuple[tuple[NewAttempt, AttemptEnd | None], ...]:
    """In the order in which they began, the first MAX_ATTEMPTS_READ."""
    found = await connection.execute(_OF_JOB, (tenant_id, job_id))
    begun = len(BEGUN_COLUMNS)
    return tuple(
        (attempt_in(row[:begun]), _attempt_end(row[0], row[begun:-1]) if row[-1] else None)
        for row in await found.fetchall()
    )


def _end_call(ended: Sequence[tuple[NewAttempt, AttemptEnd]], answers: Sequence[SealedAnswer]) -> Call:
    ends = [end for _, end in ended]
    counts = [end.usage.counts for end in ends]
    return _END(
        **_begun([attempt for attempt, _ in ended]),
        **kept_with(answers),
        outcome=_texts([end.outcome for end in ends]),
        accepted=binary.ints([int(end.accepted) for end in ends]),
        usage=binary.texts([_usage(end.usage.raw) for end in ends]),
        input_tokens=_counts([None if one is None else one.input_tokens for one in counts]),
        output_tokens=_counts([None if one is None else one.output_tokens for one in counts]),
        cache_read_tokens=_counts([None if one is None else one.cache_read_tokens for one in counts]),
        cache_write_tokens=_counts([None if one is None else one.cache_write_tokens for one in counts]),
        cost_usd=_dollars([end.cost_usd for end in ends]),
        price_source=_texts([end.price_source for end in ends]),
        shadow_usd=_dollars([end.shadow_usd for end in ends]),
        status=binary.ints([_within(end.status, MAX_INT) for end in ends]),
        error_code=_texts([end.error_code for end in ends]),
        request_id=_texts([end.request_id for end in ends]),
        served_model=_texts([end.served_model for end in ends]),
        served_tier=_texts([end.served_tier for end in ends]),
        finish_reason=_texts([end.finish_reason for end in ends]),
        first_token_ms=_milliseconds([end.first_token_ms for end in ends]),
        total_ms=_milliseconds([end.total_ms for end in ends]),
    )


def _begun(attempts: Sequence[NewAttempt]) -> dict[str, bytes]:
    return {
        "id": binary.uuids([one.id.bytes for one in attempts]),
        "tenant_id": binary.uuids([one.tenant_id.bytes for one in attempts]),
        "job_id": binary.uuids([None if one.job_id is None else one.job_id.bytes for one in attempts]),
        "job_attempt": binary.ints([one.job_attempt for one in attempts]),
        "kind": _texts([one.kind for one in attempts]),
        "purpose": _texts([one.purpose for one in attempts]),
        "section": binary.ints([one.section for one in attempts]),
        "prompt": _texts([one.prompt for one in attempts]),
        "prompt_version": binary.ints([one.prompt_version for one in attempts]),
        "provider": _texts([one.provider for one in attempts]),
        "model": _texts([one.model for one in attempts]),
        "lane": _texts([one.lane for one in attempts]),
        "own_key": binary.ints([int(one.own_key) for one in attempts]),
        "reserved_usd": _dollars([one.reserved_usd for one in attempts]),
    }


def _texts(words: Sequence[str | None]) -> bytes:
    """A provider may answer anything: what a column can't hold is left out, so that it costs nobody their row."""
    return binary.texts([None if word is None else _storable(word)[:MAX_WORD] for word in words])


def _storable(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()


def _usage(raw: Mapping[str, Any]) -> str | None:
    if not raw:
        return None
    try:
        text = json.dumps(raw, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        return '{"bucatini": "the provider sent what is no JSON"}'
    if len(text) > MAX_USAGE_BYTES:
        return '{"bucatini": "the provider sent more than is kept"}'
    return _storable(text).replace("\\u0000", "")


def _counts(counts: Sequence[int | None]) -> bytes:
    return binary.bigints([None if one is None else binary.bigint(min(one, MAX_BIGINT)) for one in counts])


def _dollars(amounts: Sequence[Decimal | None]) -> bytes:
    return binary.texts([None if amount is None else format(amount, "f") for amount in amounts])


def _milliseconds(times: Sequence[float | None]) -> bytes:
    return binary.doubles([time if time is None or math.isfinite(time) else None for time in times])


def _within(number: int | None, limit: int) -> int | None:
    return None if number is None or abs(number) > limit else number


def attempt_in(values: Sequence[Any]) -> NewAttempt:
    """The attempt of a row's BEGUN_COLUMNS."""
    named = dict(zip(BEGUN_COLUMNS, values, strict=True))
    return NewAttempt(**{**named, "lane": Lane(named["lane"])})


def _attempt_end(attempt_id: UUID, values: Sequence[Any]) -> AttemptEnd:
    named = dict(zip(_ENDED.split(", "), values, strict=True))
    tokens = [named.pop(f"{what}_tokens") for what in ("input", "output", "cache_read", "cache_write")]
    counts = None if tokens[0] is None else TokenCounts(*tokens)
    return AttemptEnd(id=attempt_id, **{**named, "usage": Usage(named["usage"] or {}, counts)})

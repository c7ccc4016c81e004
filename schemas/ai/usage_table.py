"""Usage as comma-separated values (RFC 4180), for a spreadsheet."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO
from typing import Final

from schemas.ai.usage import GroupBy, UsageRow, plain_number

COLUMNS: Final = {
    GroupBy.DAY: ("day",),
    GroupBy.MODEL: ("provider", "model"),
    GroupBy.PROVIDER: ("provider",),
    GroupBy.PROMPT: ("prompt", "prompt_version"),
    GroupBy.KIND: ("kind",),
    GroupBy.JOB: ("job_id",),
    GroupBy.TENANT: ("tenant",),
}
SUMS: Final = (
    "calls",
    "cached",
    "failed",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cost_usd",
    "shadow_usd",
)
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def table_of(rows: Sequence[UsageRow], by: Sequence[GroupBy]) -> str:
    """A header and the rows: what they are told apart by, then the sums."""
    names = tuple(dict.fromkeys((*(name for group in by for name in COLUMNS[group]), *SUMS)))
    written = StringIO()
    table = csv.writer(written)
    table.writerow(names)
    table.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    return written.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return plain_number(value)
        case str() if value.startswith(FORMULA_STARTS):
            # A spreadsheet would run it.
            return f"'{value}"
    return str(value)

"""Every table, declared once. Migrations make them; `tests/integration/tables_test.py` proves that both agree."""

from infrastructure.postgres.tables import (
    compatibility,
    controls,
    events,
    jobs,
    keys,
    search,
    tenants,
    webhooks,
    workflow,
)
from infrastructure.postgres.tables.metadata import OWNER, metadata

__all__ = [
    "OWNER",
    "compatibility",
    "controls",
    "events",
    "jobs",
    "keys",
    "metadata",
    "search",
    "tenants",
    "webhooks",
    "workflow",
]

"""Every table, declared once. Migrations make them; `tests/integration/tables_test.py` proves that both agree."""

from infrastructure.postgres.tables import (
    ai,
    compatibility,
    controls,
    documents,
    events,
    jobs,
    keys,
    prompts,
    saved_searches,
    search,
    search_locations,
    tenants,
    webhooks,
    workflow,
)
from infrastructure.postgres.tables.metadata import OWNER, metadata

__all__ = [
    "OWNER",
    "ai",
    "compatibility",
    "controls",
    "documents",
    "events",
    "jobs",
    "keys",
    "metadata",
    "prompts",
    "saved_searches",
    "search",
    "search_locations",
    "tenants",
    "webhooks",
    "workflow",
]

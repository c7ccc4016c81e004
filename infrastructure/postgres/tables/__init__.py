"""Every table, declared once. Migrations make them; `tests/integration/tables_test.py` proves that both agree."""

from infrastructure.postgres.tables import (
    compatibility,
    controls,
    documents,
    events,
    jobs,
    keys,
    tenants,
    webhooks,
    workflow,
)
from infrastructure.postgres.tables.metadata import OWNER, metadata

__all__ = [
    "OWNER",
    "compatibility",
    "controls",
    "documents",
    "events",
    "jobs",
    "keys",
    "metadata",
    "tenants",
    "webhooks",
    "workflow",
]

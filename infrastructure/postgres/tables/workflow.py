"""Workflow instances."""

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by

workflow_instances = Table(
    "workflow_instances",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("steps", JSONB, nullable=False),
    Column("problem", JSONB),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    CheckConstraint(
        "status = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text])",
        name="workflow_instances_status_check",
    ),
    Index("idx_workflow_instances_status", "tenant_id", "status", "id"),
    info=owned_by("tenant_id"),
    postgresql_with={"fillfactor": "85"},
)

"""Webhooks, their secrets and their deliveries."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", ARRAY(Text), nullable=False),
    Column("description", Text, nullable=False, server_default=text("''::text")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("paused_at", DateTime(timezone=True)),
    Column("paused_because", Text),
    Column("failing_since", DateTime(timezone=True)),
    Column("seen", Text, nullable=False, server_default=text("(pg_current_snapshot())::text")),
    Column("upto", Text),
    Column("after_at", DateTime(timezone=True)),
    Column("after_job_id", Uuid),
    Column("after_seq", Integer),
    Column(
        "fed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
        comment="When the feeder last had a turn for it; who waits longest is next",
    ),
    CheckConstraint("(paused_at IS NULL) = (paused_because IS NULL)", name="webhooks_check"),
    CheckConstraint(
        "paused_because = ANY (ARRAY['owner'::text, 'gone'::text, 'failing'::text, 'tenant-suspended'::text])",
        name="webhooks_paused_because_check",
    ),
    Index("webhooks_tenant", "tenant_id", "id"),
    info=owned_by("tenant_id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("webhook_id", Uuid, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("master_key_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column(
        "valid_until", DateTime(timezone=True), comment="NULL: the one that stands; the others still sign until then"
    ),
    Index("webhook_secrets_webhook", "webhook_id", "id"),
    info=owned_by("tenant_id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("webhook_id", Uuid, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_job_id", Uuid, comment="NULL for a test, whose event is stored nowhere"),
    Column("event_seq", Integer),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("job_id", Uuid),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("status", SmallInteger),
    Column("duration_seconds", Double),
    Column("answer_bytes", Integer),
    Column("problem", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("attempted_at", DateTime(timezone=True)),
    CheckConstraint(
        "state = ANY (ARRAY['waiting'::text, 'pending'::text, 'delivered'::text, 'failed'::text])",
        name="webhook_deliveries_state_check",
    ),
    UniqueConstraint(
        "webhook_id", "event_job_id", "event_seq", name="webhook_deliveries_webhook_id_event_job_id_event_seq_key"
    ),
    Index(
        "webhook_deliveries_open",
        "webhook_id",
        "id",
        postgresql_where=text("state = ANY (ARRAY['waiting'::text, 'pending'::text])"),
    ),
    Index("webhook_deliveries_webhook", "webhook_id", "id"),
    info=owned_by("tenant_id"),
    postgresql_with={"fillfactor": "85"},
)

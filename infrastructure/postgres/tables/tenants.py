"""Tenants, what they may have, and who may speak for them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by

tenants = Table(
    "tenants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("display_name", Text, nullable=False, server_default=text("''::text")),
    Column("region", Text),
    Column(
        "is_operator",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Whether its keys may work the other tenants; one tenant's may",
    ),
    Column("state", Text, nullable=False, server_default=text("'active'::text")),
    Column("state_because", Text, nullable=False, server_default=text("''::text")),
    Column("state_since", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    CheckConstraint(
        "state = ANY (ARRAY['active'::text, 'suspended'::text, 'erasing'::text, 'erased'::text])",
        name="tenants_state_check",
    ),
    UniqueConstraint("name", name="tenants_name_key"),
    Index("tenants_operator", "is_operator", unique=True, postgresql_where=text("is_operator")),
    info=owned_by("id"),
)

tenant_limits = Table(
    "tenant_limits",
    metadata,
    Column("tenant_id", Uuid, ForeignKey("tenants.id", name="tenant_limits_tenant_id_fkey"), primary_key=True),
    Column("most_in_flight", Integer, comment="NULL: no cap"),
    Column("weight", SmallInteger, nullable=False, server_default=text("1")),
    Column("requests_per_minute", Integer),
    Column("queued_jobs", Integer),
    Column("stored_bytes", BigInteger),
    Column("documents", Integer),
    Column("schedules", Integer),
    Column("webhooks", Integer),
    Column("groups", Integer),
    Column("streams", Integer),
    Column("ai_usd_a_day", Numeric(12, 4)),
    Column("ai_usd_a_month", Numeric(12, 4)),
    CheckConstraint("most_in_flight > 0", name="tenant_limits_most_in_flight_check"),
    CheckConstraint("(weight >= 1) AND (weight <= 100)", name="tenant_limits_weight_check"),
    Index("tenant_limits_capped", "tenant_id", postgresql_where=text("most_in_flight IS NOT NULL")),
    info=owned_by("tenant_id"),
    comment="What an operator set; NULL, as no row at all, means the default",
)

tenant_usage = Table(
    "tenant_usage",
    metadata,
    Column("tenant_id", Uuid, ForeignKey("tenants.id", name="tenant_usage_tenant_id_fkey"), primary_key=True),
    Column("what", Text, primary_key=True),
    Column(
        "period",
        Date,
        primary_key=True,
        server_default=text("'-infinity'::date"),
        comment="The first day of the period it counts in; -infinity: what is kept now",
    ),
    Column("amount", Numeric, nullable=False),
    CheckConstraint("amount >= (0)::numeric", name="tenant_usage_amount_check"),
    info=owned_by("tenant_id"),
    comment="Amounts that would be too dear to add up: changed in the transaction that uses or frees them",
    postgresql_with={"fillfactor": "70"},
)

tenant_erasures = Table(
    "tenant_erasures",
    metadata,
    Column("tenant_id", Uuid, ForeignKey("tenants.id", name="tenant_erasures_tenant_id_fkey"), primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column(
        "erased",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="How much of each part the erasing job has removed so far",
    ),
    Column("proof", JSONB),
    info=owned_by("tenant_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Uuid, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("revoked_at", DateTime(timezone=True)),
    Index("api_keys_tenant", "tenant_id", text("created_at DESC")),
    info=owned_by("tenant_id"),
)

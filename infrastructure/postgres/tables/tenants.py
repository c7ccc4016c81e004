"""Tenants, what they may have, and who may speak for them."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
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
from sqlalchemy.dialects.postgresql import ARRAY

from infrastructure.postgres.tables.metadata import metadata, owned_by

tenants = Table(
    "tenants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    UniqueConstraint("name", name="tenants_name_key"),
    info=owned_by("id"),
)

tenant_limits = Table(
    "tenant_limits",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("most_in_flight", Integer, comment="NULL: no cap"),
    Column("weight", SmallInteger, nullable=False, server_default=text("1")),
    CheckConstraint("most_in_flight > 0", name="tenant_limits_most_in_flight_check"),
    CheckConstraint("(weight >= 1) AND (weight <= 100)", name="tenant_limits_weight_check"),
    Index("tenant_limits_capped", "tenant_id", postgresql_where=text("most_in_flight IS NOT NULL")),
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

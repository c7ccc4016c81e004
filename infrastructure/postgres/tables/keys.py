"""The tenants' wrapped keys and their rotations."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from infrastructure.postgres.tables.metadata import metadata, owned_by

tenant_keys = Table(
    "tenant_keys",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("master_key_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("retired_at", DateTime(timezone=True)),
    Column("rotation_job_id", Uuid, comment="The job that made this key; NULL for a tenant's first key"),
    Column(
        "rotation_cursor",
        Text,
        nullable=False,
        server_default=text("''::text"),
        comment="table.column/row: the last cell this rotation has dealt with in its present pass",
    ),
    Column("rows_reencrypted", BigInteger, nullable=False, server_default=text("0")),
    Column("conflicts", BigInteger, nullable=False, server_default=text("0")),
    Column("rotated_at", DateTime(timezone=True), comment="When nothing was left under older keys"),
    CheckConstraint(
        "state = ANY (ARRAY['active'::text, 'decrypt_only'::text, 'retired'::text])", name="tenant_keys_state_check"
    ),
    UniqueConstraint("tenant_id", "version", name="tenant_keys_tenant_id_version_key"),
    Index("tenant_keys_active", "tenant_id", unique=True, postgresql_where=text("state = 'active'::text")),
    Index("tenant_keys_rotation", "rotation_job_id", unique=True, postgresql_where=text("rotation_job_id IS NOT NULL")),
    info=owned_by("tenant_id"),
)

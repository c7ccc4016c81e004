"""What happened, in order, and the consumer groups that read it."""

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Integer, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from infrastructure.postgres.tables.metadata import Xid8, metadata, owned_by

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("data", JSONB),
    Index("job_events_feed", "tenant_id", "xid"),
    info=owned_by("tenant_id"),
    postgresql_with={"autovacuum_vacuum_insert_scale_factor": "0.1", "autovacuum_vacuum_scale_factor": "0.05"},
)

consumer_groups = Table(
    "consumer_groups",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("types", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("seen", Text, nullable=False, server_default=text("(pg_current_snapshot())::text")),
    Column("upto", Text),
    Column("after_at", DateTime(timezone=True)),
    Column("after_job_id", Uuid),
    Column("after_seq", Integer),
    info=owned_by("tenant_id"),
)

group_events = Table(
    "group_events",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("group_name", Text, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("lease", Uuid, comment="Whoever took it last; an acknowledgement has to name it"),
    Column("leased_until", DateTime(timezone=True)),
    Column("deliveries", SmallInteger, nullable=False, server_default=text("0")),
    Column("parked_at", DateTime(timezone=True)),
    ForeignKeyConstraint(
        ["tenant_id", "group_name"], ["consumer_groups.tenant_id", "consumer_groups.name"], ondelete="CASCADE"
    ),
    Index("group_events_order", "tenant_id", "group_name", "at", "job_id", "seq"),
    info=owned_by("tenant_id"),
    comment="What a group has taken up and nobody has acknowledged; an acknowledged event is gone",
    postgresql_with={"fillfactor": "70"},
)

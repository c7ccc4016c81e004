"""Jobs, what leaves with them, and the workers that run them."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, LargeBinary, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", SmallInteger, nullable=False, server_default=text("1")),
    Column("queue", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False, server_default=text("5")),
    Column(
        "lane",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="Which of a queue's lists it is rung in: infrastructure/celery/lists.py",
    ),
    Column("state", Text, nullable=False),
    Column("attempt", SmallInteger, nullable=False, server_default=text("0")),
    Column("max_attempts", SmallInteger, nullable=False),
    Column(
        "crashes",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="How many worker processes died while running it",
    ),
    Column("seq", Integer, nullable=False, server_default=text("1")),
    Column(
        "wake_at", DateTime(timezone=True), comment="When a sweeper must look at this job; NULL: nothing to look at"
    ),
    Column("lease_token", Uuid),
    Column("lease_worker", Uuid),
    Column("settled_token", Uuid, comment="Whose outcome was stored last: a worker whose answer was lost asks by it"),
    Column("run_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("deadline", DateTime(timezone=True)),
    Column("correlation_id", Uuid),
    Column("causation_id", Uuid),
    Column("parent_id", Uuid),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("command", JSONB, nullable=False),
    Column("result", JSONB),
    Column("problem", JSONB),
    Column("progress", JSONB),
    Column(
        "parked",
        Text(collation="C"),
        comment="Why it may not be claimed: limit, or hold:<id>. Its wake_at is then NULL",
    ),
    Column("concurrency_key", Text, comment="NULL: under no cap. Empty: under its tenant's cap only"),
    Column("concurrency_limit", Integer),
    Column("fingerprint", Text(collation="C"), comment="Of its last run's failure: monitoring/fingerprints.py"),
    Column("failed_at", DateTime(timezone=True)),
    Index(
        "jobs_failures",
        "tenant_id",
        "fingerprint",
        "failed_at",
        "id",
        postgresql_where=text("(fingerprint IS NOT NULL) AND (state <> 'running'::text)"),
    ),
    Index(
        "jobs_in_flight",
        "tenant_id",
        "concurrency_key",
        postgresql_where=text(
            "(concurrency_key IS NOT NULL) AND (parked IS NULL) AND (state = ANY (ARRAY['queued'::text, 'running'::text, 'retrying'::text, 'waiting'::text]))"
        ),
    ),
    Index("jobs_lease_worker", "lease_worker", postgresql_where=text("lease_worker IS NOT NULL")),
    Index("jobs_parent", "parent_id", "id", postgresql_where=text("parent_id IS NOT NULL")),
    Index(
        "jobs_parked",
        "parked",
        "tenant_id",
        "concurrency_key",
        text("priority DESC"),
        "id",
        postgresql_where=text("parked IS NOT NULL"),
    ),
    Index("jobs_tenant", "tenant_id", "id"),
    Index(
        "jobs_of_documents",
        "tenant_id",
        text("(command #>> '{document,id}'::text[])"),
        "id",
        postgresql_where=text("(command #>> '{document,id}'::text[]) IS NOT NULL"),
    ),
    Index(
        "jobs_later",
        "tenant_id",
        postgresql_where=text("state = ANY (ARRAY['scheduled'::text, 'retrying'::text, 'waiting'::text])"),
    ),
    Index(
        "jobs_turn",
        "queue",
        "lane",
        "tenant_id",
        "id",
        postgresql_where=text("(wake_at IS NOT NULL) AND (state = 'queued'::text)"),
    ),
    Index(
        "jobs_unfinished_child",
        "parent_id",
        "id",
        postgresql_where=text(
            "(parent_id IS NOT NULL) AND (state <> ALL (ARRAY['cancelled'::text, 'dead'::text, 'failed'::text, 'succeeded'::text]))"
        ),
    ),
    Index(
        "jobs_wake",
        "state",
        "wake_at",
        postgresql_where=text(
            "(wake_at IS NOT NULL) AND (state = ANY (ARRAY['scheduled'::text, 'retrying'::text, 'waiting'::text]))"
        ),
    ),
    info=owned_by("tenant_id"),
    postgresql_with={
        "fillfactor": "85",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.05",
        "autovacuum_vacuum_insert_scale_factor": "0.1",
    },
)

job_keys = Table(
    "job_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("job_keys_expiry", "expires_at"),
    info=owned_by("tenant_id"),
)

job_objects = Table(
    "job_objects",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    info=owned_by("tenant_id"),
    comment="Results too large for a row, and where in the object store they lie",
)

workers = Table(
    "workers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("dead_at", DateTime(timezone=True)),
    Column("stalled_at", DateTime(timezone=True)),
    Column("stalled_by", Uuid),
    Index("workers_dead", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
    postgresql_with={"fillfactor": "50"},
)

walks = Table(
    "walks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("place", Text, nullable=False, server_default=text("''::text")),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    comment="How far each walk of the housekeeping has come; whoever holds the row's lock walks",
)

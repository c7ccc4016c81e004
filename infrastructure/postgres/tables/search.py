"""What searches of a tenant find beside what was typed, and which of them were slow."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by, sealed

search_synonyms = Table(
    "search_synonyms",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False, comment="One more at each change"),
    Column("content", JSONB, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("updated_by", Text, nullable=False),
    info=owned_by("tenant_id"),
)

search_slow_queries = Table(
    "search_slow_queries",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column(
        "cell", Text(collation="C"), primary_key=True, comment="A UUID in the order of time; names the sealed value"
    ),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("found", JSONB, nullable=False, comment="Its time, hits and shape: no word of what was looked for"),
    Column("query", LargeBinary, info=sealed("cell"), comment="As it was asked; NULL: too large to keep"),
    info=owned_by("tenant_id"),
    comment="The newest slow searches of each tenant",
)

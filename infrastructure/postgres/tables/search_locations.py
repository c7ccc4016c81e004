"""Where the tenants' documents are in a search server's indexes."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from infrastructure.postgres.tables.metadata import metadata, owned_by, sealed

search_locations = Table(
    "search_locations",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("document_id", Text(collation="C"), primary_key=True),
    Column("index", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Index("search_locations_deleted", "tenant_id", "generation", "document_id", postgresql_where=text("deleted")),
    info=owned_by("tenant_id"),
    comment="Each document's index, and the newest version that was written there or deleted, for ever",
)

search_generations = Table(
    "search_generations",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("standing", Text, nullable=False, comment="building, current, kept or dropped"),
    Column("indexes", ARRAY(Text), nullable=False, comment="New documents go to the last"),
    Column("languages", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("kept_until", DateTime(timezone=True)),
    Index("search_generations_one_current", "tenant_id", unique=True, postgresql_where=text("standing = 'current'")),
    info=owned_by("tenant_id"),
    comment="A tenant's index, each time it was built; all but the dropped ones are written to",
)

search_credentials = Table(
    "search_credentials",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key_id", Text(collation="C"), primary_key=True, comment="Names the row in its sealed value"),
    Column("key", LargeBinary, nullable=False, info=sealed("key_id")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    info=owned_by("tenant_id"),
    comment="The search server's keys that see one tenant's indexes",
)

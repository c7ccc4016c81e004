"""The documents that search indexes are built from."""

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from infrastructure.postgres.tables.metadata import metadata, owned_by

documents = Table(
    "documents",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column(
        "job_id",
        Uuid,
        nullable=False,
        comment="Whose content stands; ids grow with time, so an older job never replaces it",
    ),
    Column("title", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="Sealed with a tenant key; bytes 5 to 12 are that key's id"),
    Column("document_type", Text, nullable=False),
    Column("industry", Text),
    Column("language", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Index("documents_key", "tenant_id", text("SUBSTRING(body FROM 5 FOR 8)")),
    Index("idx_documents_search", "tenant_id", "document_type", "industry", text("created_at DESC")),
    info=owned_by("tenant_id"),
)

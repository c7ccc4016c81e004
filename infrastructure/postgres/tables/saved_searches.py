"""Saved searches, and the documents that each has been told of."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from infrastructure.postgres.tables.metadata import metadata, owned_by, sealed

saved_searches = Table(
    "saved_searches",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column(
        "cell",
        Text(collation="C"),
        nullable=False,
        comment="Names the row in its sealed values; a new one at each change",
    ),
    Column("content", LargeBinary, nullable=False, info=sealed("cell"), comment="Query and description as JSON"),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    UniqueConstraint("tenant_id", "cell", name="saved_searches_cell"),
    info=owned_by("tenant_id"),
)

saved_search_matches = Table(
    "saved_search_matches",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, comment="The newest that matched; its event is written with it"),
    Column("matches", Boolean, nullable=False, comment="Whether what is indexed of the document now does"),
    ForeignKeyConstraint(
        ["tenant_id", "name"],
        ["saved_searches.tenant_id", "saved_searches.name"],
        name="saved_search_matches_search_fkey",
        ondelete="CASCADE",
    ),
    Index("saved_search_matches_of_document", "tenant_id", "document_id"),
    info=owned_by("tenant_id"),
)

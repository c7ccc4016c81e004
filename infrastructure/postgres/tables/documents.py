"""Documents, their versions, what AI jobs found in them, and what is done with one that was imported."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by, sealed

documents = Table(
    "documents",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, comment="The newest that was accepted"),
    Column("current_version", BigInteger, comment="The newest that was imported: what is read, indexed and found"),
    Column(
        "deleted_version",
        BigInteger,
        comment="The newest at its deletion: neither it nor an older one ever becomes current again",
    ),
    Column(
        "job_id",
        Uuid,
        comment="Of the newest job that brought its text along; ids grow with time, so an older job never replaces it",
    ),
    Column("indexed_version", BigInteger, comment="The newest that an index was to have; NULL: it isn't to be found"),
    Column(
        "index_removals",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="How often it was taken out of the index: of one version, what was put in later counts",
    ),
    Column(
        "unindexed_by",
        Uuid,
        comment="The job that took it out of the index last; ids grow with time, so an older job doesn't bring it back",
    ),
    Column("title", Text, comment="As its author says; NULL for the one that the current version names itself"),
    Column("document_type", Text, nullable=False),
    Column("industry", Text),
    Column("language", Text, comment="As its author says; NULL for the one that was detected"),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("deleted_at", DateTime(timezone=True), comment="NULL: it isn't deleted"),
    Index("idx_documents_search", "tenant_id", "document_type", "industry", text("created_at DESC")),
    Index("documents_newest", "tenant_id", text("created_at DESC"), text("document_id DESC")),
    Index("documents_indexed", "tenant_id", "document_id", postgresql_where=text("indexed_version IS NOT NULL")),
    info=owned_by("tenant_id"),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column(
        "cell",
        Text(collation="C"),
        nullable=False,
        comment="Names the row in its sealed values, and its original: unique in the tenant, never used again",
    ),
    Column("state", Text, nullable=False),
    Column("job_id", Uuid, comment="The job that imports it"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the original's bytes"),
    Column("size_bytes", BigInteger, nullable=False, comment="The original's"),
    Column("stored_bytes", BigInteger, nullable=False, comment="What counts as stored: all ciphertexts"),
    Column("media_type", Text, nullable=False, comment="As declared, until its content is recognised"),
    Column("file_name", Text),
    Column("title", Text, comment="That it names itself"),
    Column("original_key", LargeBinary, info=sealed("cell"), comment="NULL: the text is the original"),
    Column(
        "text",
        LargeBinary,
        info=sealed("cell", "documents.body"),
        comment="NULL: there is none yet, or it is an object",
    ),
    Column(
        "text_cell",
        Text(collation="C"),
        comment="Names the object with a long text: of two workers that import the version each writes one of its own",
    ),
    Column("text_key", LargeBinary, info=sealed("cell"), comment="The key of the object with a long text"),
    Column("text_bytes", BigInteger, comment="Of the text in UTF-8, in an object; NULL where it is in the row"),
    Column("outline", LargeBinary, info=sealed("cell"), comment="Headings, pages and attachments as JSON"),
    Column("characters", BigInteger),
    Column("words", BigInteger),
    Column("pages", Integer),
    Column("language", Text),
    Column("encoding", Text),
    Column("problem", JSONB, comment="Why it couldn't be imported"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("imported_at", DateTime(timezone=True)),
    CheckConstraint(
        "state = ANY (ARRAY['importing'::text, 'ready'::text, 'failed'::text])", name="document_versions_state_check"
    ),
    ForeignKeyConstraint(
        ["tenant_id", "document_id"],
        ["documents.tenant_id", "documents.document_id"],
        name="document_versions_document_fkey",
    ),
    UniqueConstraint("tenant_id", "cell", name="document_versions_cell"),
    UniqueConstraint("tenant_id", "text_cell", name="document_versions_text_cell"),
    info=owned_by("tenant_id"),
)

document_facts = Table(
    "document_facts",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("cell", Text(collation="C"), nullable=False, comment="Names the row in its sealed values"),
    Column("kind", Text, nullable=False, comment="Of the job that found them"),
    Column("facts", LargeBinary, nullable=False, info=sealed("cell"), comment="The job's result as JSON"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    ForeignKeyConstraint(
        ["tenant_id", "document_id", "version"],
        ["document_versions.tenant_id", "document_versions.document_id", "document_versions.version"],
        name="document_facts_version_fkey",
    ),
    UniqueConstraint("tenant_id", "cell", name="document_facts_cell"),
    info=owned_by("tenant_id"),
)

ingestion_profiles = Table(
    "ingestion_profiles",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("profile", JSONB, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    info=owned_by("tenant_id"),
)

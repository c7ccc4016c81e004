"""Prompts: immutable versions, the labels that point to them, and the tests that a label's move needs."""

from sqlalchemy import (
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSONB

from infrastructure.postgres.tables.metadata import metadata, owned_by, sealed

_OF_A_PROMPT = ["tenant_id", "name"]
_PROMPT = ["ai_prompts.tenant_id", "ai_prompts.name"]

ai_prompts = Table(
    "ai_prompts",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False, server_default=text("''::text")),
    Column("newest_version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    info=owned_by("tenant_id"),
)

ai_prompt_versions = Table(
    "ai_prompt_versions",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("industry", Text, comment="NULL: the base; else an overlay of it"),
    Column("base", Integer, comment="The version that an overlay changes; it may have come with the product"),
    Column("cell", Text(collation="C"), nullable=False, comment="Names the row in its sealed values"),
    Column("content", LargeBinary, nullable=False, info=sealed("cell")),
    Column("digest", LargeBinary, nullable=False),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("created_by", Text, nullable=False),
    ForeignKeyConstraint(_OF_A_PROMPT, _PROMPT, name="ai_prompt_versions_prompt_fkey"),
    UniqueConstraint("tenant_id", "cell", name="ai_prompt_versions_cell"),
    info=owned_by("tenant_id"),
)

ai_prompt_labels = Table(
    "ai_prompt_labels",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("industry", Text, primary_key=True, server_default=text("''::text"), comment="Empty: for all"),
    Column("moved_at", DateTime(timezone=True), primary_key=True, server_default=text("clock_timestamp()")),
    Column("moved_by", Text, nullable=False),
    Column("because", Text, nullable=False, server_default=text("''::text")),
    Column("variants", JSONB, nullable=False),
    Column(
        "back_to",
        DateTime(timezone=True),
        comment="Of a move back: the one whose place it took; 1970 for where it pointed when the prompt came",
    ),
    ForeignKeyConstraint(_OF_A_PROMPT, _PROMPT, name="ai_prompt_labels_prompt_fkey"),
    info=owned_by("tenant_id"),
    comment="Each move of a label; the newest says where it points",
)

ai_prompt_tests = Table(
    "ai_prompt_tests",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("test", Text, primary_key=True),
    Column("industry", Text, comment="NULL: it is for all versions; else for overlays of this industry"),
    Column(
        "cell",
        Text(collation="C"),
        nullable=False,
        comment="Names the row in its sealed values; a new one at each change",
    ),
    Column("content", LargeBinary, nullable=False, info=sealed("cell")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    ForeignKeyConstraint(_OF_A_PROMPT, _PROMPT, name="ai_prompt_tests_prompt_fkey"),
    UniqueConstraint("tenant_id", "cell", name="ai_prompt_tests_cell"),
    info=owned_by("tenant_id"),
)

ai_prompt_test_runs = Table(
    "ai_prompt_test_runs",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column(
        "tests_digest",
        LargeBinary,
        nullable=False,
        comment="Of the tests that were run: a label is moved by runs of the present tests only",
    ),
    Column("passed", Boolean, nullable=False),
    Column("results", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    ForeignKeyConstraint(_OF_A_PROMPT, _PROMPT, name="ai_prompt_test_runs_prompt_fkey"),
    info=owned_by("tenant_id"),
)

ai_prompt_exposures = Table(
    "ai_prompt_exposures",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("label", Text),
    Column("subject_hash", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Index("ai_prompt_exposures_of_version", "tenant_id", "name", "version", "created_at"),
    info=owned_by("tenant_id"),
    comment="Which version a job was written with, by which label",
)

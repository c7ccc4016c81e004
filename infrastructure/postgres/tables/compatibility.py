"""Whose processes the tables serve."""

from sqlalchemy import Boolean, CheckConstraint, Column, Table, Text, text

from infrastructure.postgres.tables.metadata import metadata

schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("serves", Text(collation="C"), nullable=False),
    CheckConstraint("one", name="schema_compatibility_one_check"),
    comment="Processes written for this version of the tables, or a later one, may work on them",
)

"""Saved searches, and documents that were taken out of the index."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
serves = "0011"

UNINDEXED = """
ALTER TABLE documents ADD COLUMN index_removals int NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN unindexed_by uuid;
COMMENT ON COLUMN documents.index_removals IS 'How often it was taken out of the index: of one version, what was put in later counts';
COMMENT ON COLUMN documents.unindexed_by IS 'The job that took it out of the index last; ids grow with time, so an older job doesn\'\'t bring it back'
"""

SAVED = """
CREATE TABLE saved_searches (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  cell text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name),
  CONSTRAINT saved_searches_cell UNIQUE (tenant_id, cell)
);
CREATE TABLE saved_search_matches (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  document_id text NOT NULL,
  version bigint NOT NULL,
  matches boolean NOT NULL,
  PRIMARY KEY (tenant_id, name, document_id),
  CONSTRAINT saved_search_matches_search_fkey FOREIGN KEY (tenant_id, name) REFERENCES saved_searches ON DELETE CASCADE
);
CREATE INDEX saved_search_matches_of_document ON saved_search_matches (tenant_id, document_id);
COMMENT ON COLUMN saved_searches.cell IS 'Names the row in its sealed values; a new one at each change';
COMMENT ON COLUMN saved_searches.content IS 'Query and description as JSON';
COMMENT ON COLUMN saved_search_matches.version IS 'The newest that matched; its event is written with it';
COMMENT ON COLUMN saved_search_matches.matches IS 'Whether what is indexed of the document now does'
"""

TABLES = ("saved_searches", "saved_search_matches")

# As in 0001. The system rotates what is sealed, and erases tenants.
OWN = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON {table} TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON {table} TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO bucatini_tenant, bucatini_system
"""


def upgrade() -> None:
    security = ";\n".join(OWN.format(table=table).strip() for table in TABLES)
    for statement in (UNINDEXED + ";" + SAVED + ";" + security).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    for column in ("unindexed_by", "index_removals"):
        op.execute(f"ALTER TABLE documents DROP COLUMN {column}")

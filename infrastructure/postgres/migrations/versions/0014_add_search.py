"""Tenants have synonyms of their own, and their newest slow searches are kept."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
serves = "0011"

SEARCH = """
CREATE TABLE search_synonyms (
  tenant_id uuid PRIMARY KEY,
  version int NOT NULL,
  content jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  updated_by text NOT NULL
);
CREATE TABLE search_slow_queries (
  tenant_id uuid NOT NULL,
  cell text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  found jsonb NOT NULL,
  query bytea,
  PRIMARY KEY (tenant_id, cell)
);
COMMENT ON COLUMN search_synonyms.version IS 'One more at each change';
COMMENT ON TABLE search_slow_queries IS 'The newest slow searches of each tenant';
COMMENT ON COLUMN search_slow_queries.cell IS 'A UUID in the order of time; names the sealed value';
COMMENT ON COLUMN search_slow_queries.found IS 'Its time, hits and shape: no word of what was looked for';
COMMENT ON COLUMN search_slow_queries.query IS 'As it was asked; NULL: too large to keep'
"""

TABLES = ("search_synonyms", "search_slow_queries")

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
    for statement in (SEARCH + ";" + security).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")

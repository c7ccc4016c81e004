"""Where each document is in a search server's indexes, the generations of these, and the keys that see one tenant's."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
serves = "0011"

TABLES = ("search_locations", "search_generations", "search_credentials")
MADE = """
CREATE TABLE search_locations (
  tenant_id uuid NOT NULL,
  generation int NOT NULL,
  document_id text COLLATE "C" NOT NULL,
  index text NOT NULL,
  version bigint NOT NULL,
  deleted boolean NOT NULL,
  PRIMARY KEY (tenant_id, generation, document_id)
);
CREATE INDEX search_locations_deleted ON search_locations (tenant_id, generation, document_id) WHERE deleted;
CREATE TABLE search_generations (
  tenant_id uuid NOT NULL,
  generation int NOT NULL,
  standing text NOT NULL,
  indexes text[] NOT NULL,
  languages text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  kept_until timestamptz,
  PRIMARY KEY (tenant_id, generation)
);
CREATE UNIQUE INDEX search_generations_one_current ON search_generations (tenant_id) WHERE standing = 'current';
CREATE TABLE search_credentials (
  tenant_id uuid NOT NULL,
  key_id text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key_id)
);
COMMENT ON TABLE search_locations IS 'Each document''s index, and the newest version that was written there or deleted, for ever';
COMMENT ON TABLE search_generations IS 'A tenant''s index, each time it was built; all but the dropped ones are written to';
COMMENT ON TABLE search_credentials IS 'The search server''s keys that see one tenant''s indexes';
COMMENT ON COLUMN search_generations.standing IS 'building, current, kept or dropped';
COMMENT ON COLUMN search_generations.indexes IS 'New documents go to the last';
COMMENT ON COLUMN search_credentials.key_id IS 'Names the row in its sealed value'
"""

# As in 0001. The system's role erases tenants, rotates what is sealed, and looks for indexes that have grown.
OWN = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON {table} TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON {table} TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO bucatini_tenant, bucatini_system
"""


def upgrade() -> None:
    security = ";\n".join(OWN.format(table=table).strip() for table in TABLES)
    for statement in (MADE + ";" + security).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")

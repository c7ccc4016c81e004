"""Documents, the tenants' keys and workflow instances; who may do what with them."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE documents (
  tenant_id uuid NOT NULL,
  document_id text NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  job_id uuid NOT NULL,
  title text NOT NULL,
  body bytea NOT NULL,
  document_type text NOT NULL,
  industry text,
  language text,
  tags text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, document_id)
);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON COLUMN documents.job_id IS 'Whose content stands; ids grow with time, so an older job never replaces it';
COMMENT ON COLUMN documents.body IS 'Sealed with a tenant key; bytes 5 to 12 are that key''s id';
CREATE INDEX idx_documents_search ON documents (tenant_id, document_type, industry, created_at DESC);
CREATE INDEX documents_key ON documents (tenant_id, substring(body FROM 5 FOR 8));

CREATE TABLE tenant_keys (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL,
  version int NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'decrypt_only', 'retired')),
  master_key_id text NOT NULL,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz,
  rotation_job_id uuid,
  rotation_cursor text NOT NULL DEFAULT '',
  rows_reencrypted bigint NOT NULL DEFAULT 0,
  conflicts bigint NOT NULL DEFAULT 0,
  rotated_at timestamptz,
  UNIQUE (tenant_id, version)
);
COMMENT ON COLUMN tenant_keys.rotation_job_id IS 'The job that made this key; NULL for a tenant''s first key';
COMMENT ON COLUMN tenant_keys.rotation_cursor IS 'The last document this rotation has dealt with in its present pass';
COMMENT ON COLUMN tenant_keys.rotated_at IS 'When nothing was left under older keys';
CREATE UNIQUE INDEX tenant_keys_active ON tenant_keys (tenant_id) WHERE state = 'active';
CREATE UNIQUE INDEX tenant_keys_rotation ON tenant_keys (rotation_job_id) WHERE rotation_job_id IS NOT NULL;

CREATE TABLE workflow_instances (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  status text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
  state text NOT NULL,
  data jsonb NOT NULL,
  steps jsonb NOT NULL,
  problem jsonb,
  version int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE INDEX idx_workflow_instances_status ON workflow_instances (tenant_id, status, id)
"""

# As in 0001. A tenant's role may see that its keys exist and in which state, never the keys; only the system makes and
# changes them.
SECURITY = """
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE workflow_instances ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON documents TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON tenant_keys TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON workflow_instances TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON documents TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON tenant_keys TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON workflow_instances TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON documents, workflow_instances TO bucatini_tenant;
GRANT SELECT (id, tenant_id, version, state, master_key_id, created_at, retired_at) ON tenant_keys TO bucatini_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON documents, tenant_keys, workflow_instances TO bucatini_system
"""


def upgrade() -> None:
    for statement in (TABLES + ";" + SECURITY).split(";\n"):
        op.execute(statement)

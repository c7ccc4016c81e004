"""Documents have versions, originals, a tombstone and facts; what is done with an imported one is the tenant's profile.

This is why the release before can't work on them: it writes a document's text into the document's own row, where no version
would know of it. Stop its workers of the pool `search` before this migration.
"""

from alembic import op

from infrastructure.postgres.migrations.online import build_index

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
serves = "0011"

TABLES = """
CREATE TABLE document_versions (
  tenant_id uuid NOT NULL,
  document_id text NOT NULL,
  version bigint NOT NULL,
  cell text COLLATE "C" NOT NULL,
  state text NOT NULL CONSTRAINT document_versions_state_check CHECK (state IN ('importing', 'ready', 'failed')),
  job_id uuid,
  digest bytea NOT NULL,
  size_bytes bigint NOT NULL,
  stored_bytes bigint NOT NULL,
  media_type text NOT NULL,
  file_name text,
  title text,
  original_key bytea,
  text bytea,
  text_cell text COLLATE "C",
  text_key bytea,
  text_bytes bigint,
  outline bytea,
  characters bigint,
  words bigint,
  pages int,
  language text,
  encoding text,
  problem jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  imported_at timestamptz,
  PRIMARY KEY (tenant_id, document_id, version),
  CONSTRAINT document_versions_cell UNIQUE (tenant_id, cell),
  CONSTRAINT document_versions_text_cell UNIQUE (tenant_id, text_cell)
);
ALTER TABLE document_versions ALTER COLUMN text SET STORAGE EXTERNAL;
COMMENT ON COLUMN document_versions.cell IS 'Names the row in its sealed values, and its original: unique in the tenant, never used again';
COMMENT ON COLUMN document_versions.job_id IS 'The job that imports it';
COMMENT ON COLUMN document_versions.digest IS 'SHA-256 of the original''s bytes';
COMMENT ON COLUMN document_versions.size_bytes IS 'The original''s';
COMMENT ON COLUMN document_versions.stored_bytes IS 'What counts as stored: all ciphertexts';
COMMENT ON COLUMN document_versions.media_type IS 'As declared, until its content is recognised';
COMMENT ON COLUMN document_versions.title IS 'That it names itself';
COMMENT ON COLUMN document_versions.original_key IS 'NULL: the text is the original';
COMMENT ON COLUMN document_versions.text IS 'NULL: there is none yet, or it is an object';
COMMENT ON COLUMN document_versions.text_cell IS 'Names the object with a long text: of two workers that import the version each writes one of its own';
COMMENT ON COLUMN document_versions.text_key IS 'The key of the object with a long text';
COMMENT ON COLUMN document_versions.text_bytes IS 'Of the text in UTF-8, in an object; NULL where it is in the row';
COMMENT ON COLUMN document_versions.outline IS 'Headings, pages and attachments as JSON';
COMMENT ON COLUMN document_versions.problem IS 'Why it couldn''t be imported';

CREATE TABLE document_facts (
  tenant_id uuid NOT NULL,
  document_id text NOT NULL,
  version bigint NOT NULL,
  job_id uuid NOT NULL,
  cell text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  facts bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, document_id, version, job_id),
  CONSTRAINT document_facts_version_fkey FOREIGN KEY (tenant_id, document_id, version) REFERENCES document_versions,
  CONSTRAINT document_facts_cell UNIQUE (tenant_id, cell)
);
COMMENT ON COLUMN document_facts.cell IS 'Names the row in its sealed values';
COMMENT ON COLUMN document_facts.kind IS 'Of the job that found them';
COMMENT ON COLUMN document_facts.facts IS 'The job''s result as JSON';

CREATE TABLE ingestion_profiles (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  profile jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name)
)
"""

# Each document that is there becomes its first version, under the number that it has. Its text stays sealed for the cell
# that it was sealed for, whose row has the document's id for a name; a sealed text is 84 bytes longer than the text.
ROWS = """
INSERT INTO document_versions (tenant_id, document_id, version, cell, state, job_id, digest, size_bytes, stored_bytes,
    media_type, text, language, created_at, imported_at)
  SELECT tenant_id, document_id, version, document_id, 'ready', job_id, '', octet_length(body) - 84, octet_length(body),
    'text/plain', body, language, created_at, updated_at FROM documents;
ALTER TABLE documents ADD COLUMN current_version bigint, ADD COLUMN deleted_version bigint,
  ADD COLUMN indexed_version bigint, ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}', ADD COLUMN deleted_at timestamptz;
UPDATE documents SET current_version = version, indexed_version = version;
DROP INDEX documents_key;
ALTER TABLE documents DROP COLUMN body, ALTER COLUMN version DROP DEFAULT, ALTER COLUMN job_id DROP NOT NULL,
  ALTER COLUMN title DROP NOT NULL;
CREATE INDEX documents_indexed ON documents (tenant_id, document_id) WHERE indexed_version IS NOT NULL;
ALTER TABLE document_versions ADD CONSTRAINT document_versions_document_fkey
  FOREIGN KEY (tenant_id, document_id) REFERENCES documents;
COMMENT ON COLUMN documents.version IS 'The newest that was accepted';
COMMENT ON COLUMN documents.current_version IS 'The newest that was imported: what is read, indexed and found';
COMMENT ON COLUMN documents.deleted_version IS 'The newest at its deletion: neither it nor an older one ever becomes current again';
COMMENT ON COLUMN documents.indexed_version IS 'The newest that an index was to have; NULL: it isn''t to be found';
COMMENT ON COLUMN documents.title IS 'As its author says; NULL for the one that the current version names itself';
COMMENT ON COLUMN documents.job_id IS 'Of the newest job that brought its text along; ids grow with time, so an older job never replaces it';
COMMENT ON COLUMN documents.language IS 'As its author says; NULL for the one that was detected';
COMMENT ON COLUMN documents.deleted_at IS 'NULL: it isn''t deleted';
COMMENT ON COLUMN tenant_keys.rotation_cursor IS 'table.column/row: the last cell this rotation has dealt with in its present pass';
INSERT INTO tenant_usage AS u (tenant_id, what, amount)
  SELECT d.tenant_id, w.what, sum(CASE w.what WHEN 'documents' THEN 1 ELSE d.stored_bytes END)
  FROM document_versions d JOIN tenants t ON t.id = d.tenant_id CROSS JOIN (VALUES ('documents'), ('stored_bytes')) AS w (what)
  GROUP BY d.tenant_id, w.what
  ON CONFLICT (tenant_id, what, period) DO UPDATE SET amount = excluded.amount
"""

# As in 0001. The system rotates what is sealed, erases tenants, and finds objects without an owner. What accepts a document
# takes its idempotency key with it, in the tenant's role.
SECURITY = """
ALTER TABLE document_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_facts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingestion_profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON document_versions TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON document_facts TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON ingestion_profiles TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON document_versions TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON document_facts TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON ingestion_profiles TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON documents, document_versions, document_facts, ingestion_profiles TO bucatini_tenant;
GRANT INSERT, DELETE ON job_keys TO bucatini_tenant;
GRANT SELECT, UPDATE, DELETE ON document_versions, document_facts, ingestion_profiles TO bucatini_system
"""

UNDO = """
COMMENT ON COLUMN tenant_keys.rotation_cursor IS 'The last document this rotation has dealt with in its present pass';
REVOKE INSERT, DELETE ON job_keys FROM bucatini_tenant;
ALTER TABLE documents ADD COLUMN body bytea;
UPDATE documents d SET body = v.text, version = v.version FROM document_versions v
  WHERE v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.current_version AND v.cell = d.document_id;
DROP TABLE ingestion_profiles;
DROP TABLE document_facts;
DROP TABLE document_versions;
DELETE FROM documents WHERE body IS NULL;
DROP INDEX documents_newest;
DROP INDEX jobs_of_documents;
UPDATE documents SET title = document_id WHERE title IS NULL;
ALTER TABLE documents ALTER COLUMN title SET NOT NULL, ALTER COLUMN body SET NOT NULL, ALTER COLUMN version SET DEFAULT 1, ALTER COLUMN job_id SET NOT NULL,
  DROP COLUMN current_version, DROP COLUMN deleted_version, DROP COLUMN indexed_version, DROP COLUMN metadata, DROP COLUMN deleted_at;
CREATE INDEX documents_key ON documents (tenant_id, substring(body FROM 5 FOR 8))
"""


def upgrade() -> None:
    build_index("documents_newest", "documents (tenant_id, created_at DESC, document_id DESC)")
    build_index(
        "jobs_of_documents",
        "jobs (tenant_id, (command #>> '{document,id}'::text[]), id) WHERE (command #>> '{document,id}'::text[]) IS NOT NULL",
    )
    for statement in (TABLES + ";" + ROWS + ";" + SECURITY).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in UNDO.split(";\n"):
        op.execute(statement)

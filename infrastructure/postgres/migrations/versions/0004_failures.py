"""Failures by fingerprint, replays of many jobs, where the walks of the housekeeping are, results in objects."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The index has failures only: a job that never fails never touches it.
TABLES = """
ALTER TABLE jobs ADD COLUMN fingerprint text COLLATE "C", ADD COLUMN failed_at timestamptz;
COMMENT ON COLUMN jobs.fingerprint IS 'Of its last run''s failure: monitoring/fingerprints.py';
CREATE INDEX jobs_failures ON jobs (tenant_id, fingerprint, failed_at, id) WHERE fingerprint IS NOT NULL;
ALTER TABLE job_events SET (autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE replays (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  requested_by text NOT NULL,
  request_key text,
  filter jsonb NOT NULL,
  except_kinds text[] NOT NULL DEFAULT '{}',
  most int NOT NULL,
  per_second float8,
  replayed int NOT NULL DEFAULT 0,
  after_fingerprint text COLLATE "C" NOT NULL DEFAULT '',
  after_failed_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
  after_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  created_at timestamptz NOT NULL DEFAULT now(),
  next_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
COMMENT ON COLUMN replays.created_at IS 'Only what had failed before is replayed, so nothing is replayed twice';
COMMENT ON COLUMN replays.except_kinds IS 'Kinds that whoever asked may not submit';
CREATE INDEX replays_due ON replays (next_at) WHERE finished_at IS NULL;
CREATE INDEX replays_tenant ON replays (tenant_id, id);
CREATE UNIQUE INDEX replays_request ON replays (tenant_id, request_key) WHERE request_key IS NOT NULL;

CREATE TABLE job_objects (
  job_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  key text NOT NULL,
  bytes bigint NOT NULL
);
COMMENT ON TABLE job_objects IS 'Results too large for a row, and where in the object store they lie';

CREATE TABLE walks (
  name text PRIMARY KEY,
  place text NOT NULL DEFAULT '',
  next_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE walks IS 'How far each walk of the housekeeping has come; whoever holds the row''s lock walks';
INSERT INTO walks (name) VALUES ('retention'), ('objects')
"""

# As in 0001. A tenant asks for replays and sees them; only the system works them off.
SECURITY = """
ALTER TABLE replays ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_objects ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON job_objects TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON job_objects TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY own ON replays TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON replays TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON replays TO bucatini_tenant;
GRANT SELECT ON job_objects TO bucatini_tenant;
GRANT SELECT, INSERT, DELETE ON job_objects TO bucatini_system;
GRANT SELECT, UPDATE, DELETE ON replays TO bucatini_system;
GRANT SELECT, UPDATE ON walks TO bucatini_system
"""


def upgrade() -> None:
    for statement in (TABLES + ";" + SECURITY).split(";\n"):
        op.execute(statement)

"""Tenants, API keys, jobs and their timeline, workers; three roles and row-level security."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Roles belong to the whole cluster, so another database of it may have made them already.
ROLES = """
DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['bucatini_tenant', 'bucatini_submit', 'bucatini_system'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    IF NOT pg_has_role(current_user, wanted, 'SET') THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
    END IF;
  END LOOP;
END $$
"""

TABLES = """
CREATE TABLE tenants (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE api_keys (
  id text PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  secret_hash bytea NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at DESC);

CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  kind text NOT NULL,
  version smallint NOT NULL DEFAULT 1,
  queue text NOT NULL,
  priority smallint NOT NULL DEFAULT 5,
  lane smallint NOT NULL DEFAULT 0,
  state text NOT NULL,
  attempt smallint NOT NULL DEFAULT 0,
  max_attempts smallint NOT NULL,
  crashes smallint NOT NULL DEFAULT 0,
  seq int NOT NULL DEFAULT 1,
  wake_at timestamptz,
  lease_token uuid,
  lease_worker uuid,
  settled_token uuid,
  run_at timestamptz NOT NULL DEFAULT now(),
  deadline timestamptz,
  correlation_id uuid,
  causation_id uuid,
  parent_id uuid,
  traceparent text,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz,
  command jsonb NOT NULL,
  result jsonb,
  problem jsonb,
  progress jsonb
) WITH (
  fillfactor = 85,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_insert_scale_factor = 0.1
);
COMMENT ON COLUMN jobs.wake_at IS 'When a sweeper must look at this job; NULL: nothing to look at';
COMMENT ON COLUMN jobs.settled_token IS 'Whose outcome was stored last: a worker whose answer was lost asks by it';
COMMENT ON COLUMN jobs.lane IS 'Which of a queue''s lists it is rung in: infrastructure/celery/lists.py';
COMMENT ON COLUMN jobs.crashes IS 'How many worker processes died while running it';
CREATE INDEX jobs_wake ON jobs (state, wake_at)
  WHERE wake_at IS NOT NULL AND state IN ('scheduled', 'retrying', 'waiting');
CREATE INDEX jobs_turn ON jobs (queue, lane, tenant_id, id) WHERE wake_at IS NOT NULL AND state = 'queued';
CREATE INDEX jobs_lease_worker ON jobs (lease_worker) WHERE lease_worker IS NOT NULL;
CREATE INDEX jobs_tenant ON jobs (tenant_id, id);
CREATE INDEX jobs_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE job_events (
  job_id uuid NOT NULL,
  seq int NOT NULL,
  tenant_id uuid NOT NULL,
  type text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  data jsonb,
  PRIMARY KEY (job_id, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX job_events_feed ON job_events (tenant_id, xid);

CREATE TABLE job_keys (
  tenant_id uuid NOT NULL,
  key text NOT NULL,
  job_id uuid NOT NULL,
  body_hash bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX job_keys_expiry ON job_keys (expires_at);

CREATE TABLE workers (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  host text NOT NULL,
  pid int NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  heartbeat_at timestamptz NOT NULL DEFAULT now(),
  dead_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX workers_dead ON workers (dead_at) WHERE dead_at IS NOT NULL
"""

# The tenant's role sees one tenant's rows or none. The system's role sees all by policy rather than by BYPASSRLS, which
# only a superuser may grant. The submitter's role writes new jobs of any tenant and reads nothing of them but what its
# own statement returns.
SECURITY = """
GRANT USAGE ON SCHEMA public TO bucatini_tenant, bucatini_submit, bucatini_system;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants TO bucatini_tenant
  USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON api_keys TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON jobs TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON job_events TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON job_keys TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON tenants TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON api_keys TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON jobs TO bucatini_system, bucatini_submit USING (true) WITH CHECK (true);
CREATE POLICY every ON job_events TO bucatini_system, bucatini_submit USING (true) WITH CHECK (true);
CREATE POLICY every ON job_keys TO bucatini_system, bucatini_submit USING (true) WITH CHECK (true);
GRANT SELECT ON tenants, job_keys TO bucatini_tenant;
GRANT SELECT, INSERT, UPDATE ON api_keys, jobs TO bucatini_tenant;
GRANT SELECT, INSERT ON job_events TO bucatini_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, api_keys, jobs, job_events, job_keys, workers TO bucatini_system;
GRANT INSERT, SELECT (id, tenant_id, kind, queue, state, priority) ON jobs TO bucatini_submit;
GRANT INSERT ON job_events TO bucatini_submit;
GRANT SELECT, INSERT, DELETE ON job_keys TO bucatini_submit;
GRANT SELECT ON workers TO bucatini_tenant
"""


def upgrade() -> None:
    op.execute(ROLES)
    for statement in (TABLES + ";" + SECURITY).split(";\n"):
        op.execute(statement)

"""Caps, holds and weights: which jobs wait although a worker is free. A job without a cap pays for none of it."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The in-flight index holds capped jobs only, so "how many are under way" is counted and never kept: nothing can drift.
TABLES = """
ALTER TABLE jobs ADD COLUMN parked text COLLATE "C", ADD COLUMN concurrency_key text, ADD COLUMN concurrency_limit int;
COMMENT ON COLUMN jobs.parked IS 'Why it may not be claimed: limit, or hold:<id>. Its wake_at is then NULL';
COMMENT ON COLUMN jobs.concurrency_key IS 'NULL: under no cap. Empty: under its tenant''s cap only';
CREATE INDEX jobs_parked ON jobs (parked, tenant_id, concurrency_key, priority DESC, id) WHERE parked IS NOT NULL;
CREATE INDEX jobs_in_flight ON jobs (tenant_id, concurrency_key)
  WHERE concurrency_key IS NOT NULL AND parked IS NULL AND state IN ('queued', 'running', 'retrying', 'waiting');

CREATE TABLE tenant_limits (
  tenant_id uuid PRIMARY KEY,
  most_in_flight int CHECK (most_in_flight > 0),
  weight smallint NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100)
);
CREATE INDEX tenant_limits_capped ON tenant_limits (tenant_id) WHERE most_in_flight IS NOT NULL;
COMMENT ON COLUMN tenant_limits.most_in_flight IS 'NULL: no cap';

CREATE TABLE holds (
  id uuid PRIMARY KEY,
  tenant_id uuid,
  action text NOT NULL CHECK (action IN ('pause', 'kill')),
  queue text,
  kind text,
  argument jsonb,
  reason text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (num_nonnulls(tenant_id, queue, kind) > 0),
  UNIQUE NULLS NOT DISTINCT (tenant_id, action, queue, kind, argument)
);
COMMENT ON COLUMN holds.tenant_id IS 'NULL: every tenant''s jobs; only an operator of the system makes such a hold'
"""

# A tenant sees what holds its jobs, an operator's holds included, and makes and removes its own. Limits are the
# operator's. The submitter needs to know which tenants are capped and which whole queues are paused, and nothing else.
SECURITY = """
ALTER TABLE tenant_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE holds ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant_limits TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON holds TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY everybodys ON holds FOR SELECT TO bucatini_tenant
  USING (tenant_id IS NULL AND nullif(current_setting('app.tenant_id', true), '') IS NOT NULL);
CREATE POLICY every ON tenant_limits TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON holds TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY capped ON tenant_limits FOR SELECT TO bucatini_submit USING (true);
CREATE POLICY paused_queues ON holds FOR SELECT TO bucatini_submit
  USING (tenant_id IS NULL AND kind IS NULL AND argument IS NULL AND action = 'pause');
GRANT SELECT ON tenant_limits TO bucatini_tenant;
GRANT SELECT, INSERT, DELETE ON holds TO bucatini_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_limits, holds TO bucatini_system;
GRANT SELECT (tenant_id, most_in_flight) ON tenant_limits TO bucatini_submit;
GRANT SELECT (tenant_id, action, queue, kind, argument) ON holds TO bucatini_submit;
GRANT SELECT (parked) ON jobs TO bucatini_submit
"""


def upgrade() -> None:
    for statement in (TABLES + ";" + SECURITY).split(";\n"):
        op.execute(statement)

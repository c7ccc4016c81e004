"""Tenants have a state, limits of every kind and usage; one of them is the operator's; and the proof that one was erased."""

from alembic import op

from infrastructure.postgres.migrations.online import build_index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
serves = "0007"

# No constraint ties jobs to tenants: it would cost each submission a lock on its tenant's row.
TABLES = """
ALTER TABLE tenants
  ADD COLUMN display_name text NOT NULL DEFAULT '',
  ADD COLUMN region text,
  ADD COLUMN is_operator boolean NOT NULL DEFAULT false,
  ADD COLUMN state text NOT NULL DEFAULT 'active',
  ADD COLUMN state_because text NOT NULL DEFAULT '',
  ADD COLUMN state_since timestamptz NOT NULL DEFAULT now(),
  ADD CONSTRAINT tenants_state_check CHECK (state IN ('active', 'suspended', 'erasing', 'erased'));
CREATE UNIQUE INDEX tenants_operator ON tenants (is_operator) WHERE is_operator;
COMMENT ON COLUMN tenants.is_operator IS 'Whether its keys may work the other tenants; one tenant''s may';

DELETE FROM tenant_limits l WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = l.tenant_id);
ALTER TABLE tenant_limits
  ADD COLUMN requests_per_minute int,
  ADD COLUMN queued_jobs int,
  ADD COLUMN stored_bytes bigint,
  ADD COLUMN documents int,
  ADD COLUMN schedules int,
  ADD COLUMN webhooks int,
  ADD COLUMN groups int,
  ADD COLUMN streams int,
  ADD COLUMN ai_usd_a_day numeric(12, 4),
  ADD COLUMN ai_usd_a_month numeric(12, 4),
  ADD CONSTRAINT tenant_limits_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
COMMENT ON TABLE tenant_limits IS 'What an operator set; NULL, as no row at all, means the default';

CREATE TABLE tenant_usage (
  tenant_id uuid NOT NULL REFERENCES tenants (id),
  what text NOT NULL,
  period date NOT NULL DEFAULT '-infinity',
  amount numeric NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (tenant_id, what, period)
) WITH (fillfactor = 70);
COMMENT ON TABLE tenant_usage IS 'Amounts that would be too dear to add up: changed in the transaction that uses or frees them';
COMMENT ON COLUMN tenant_usage.period IS 'The first day of the period it counts in; -infinity: what is kept now';

CREATE TABLE tenant_erasures (
  tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
  job_id uuid NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT now(),
  erased jsonb NOT NULL DEFAULT '{}',
  proof jsonb
);
COMMENT ON COLUMN tenant_erasures.erased IS 'How much of each part the erasing job has removed so far';

ALTER TABLE holds ADD COLUMN by_operator boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN holds.by_operator IS 'An operator of the system made it, so its tenant can''t remove it';

ALTER TABLE webhooks DROP CONSTRAINT webhooks_paused_because_check,
  ADD CONSTRAINT webhooks_paused_because_check CHECK (paused_because IN ('owner', 'gone', 'failing', 'tenant-suspended'))
"""

# As in 0001. What an operator holds, its tenant sees and can't remove. Only the system sees erasures. It erases in every
# table.
SECURITY = """
ALTER TABLE tenant_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_erasures ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant_usage TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON tenant_erasures TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON tenant_usage TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON tenant_erasures TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON tenant_usage TO bucatini_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_usage, tenant_erasures TO bucatini_system;
DROP POLICY own ON holds;
CREATE POLICY own ON holds FOR SELECT TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY add_own ON holds FOR INSERT TO bucatini_tenant
  WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid) AND NOT by_operator);
CREATE POLICY remove_own ON holds FOR DELETE TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid) AND NOT by_operator);
GRANT DELETE ON schedules, webhooks, webhook_secrets TO bucatini_system;
CREATE POLICY every ON consumer_groups TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON group_events TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON consumer_groups, group_events TO bucatini_system
"""

# The tenant of the first admin key is the operator's. Documents that are there already count.
ROWS = """
UPDATE tenants SET is_operator = true WHERE name = 'default';
UPDATE api_keys SET scopes = scopes || '{tenants:admin}' WHERE id = (
  SELECT k.id FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
  WHERE t.is_operator AND k.revoked_at IS NULL AND 'admin' = ANY(k.scopes) ORDER BY k.created_at, k.id LIMIT 1);
UPDATE holds SET by_operator = true WHERE created_by LIKE 'operator %';
INSERT INTO tenant_usage (tenant_id, what, amount)
  SELECT d.tenant_id, w.what, sum(CASE w.what WHEN 'documents' THEN 1 ELSE octet_length(d.body) END)
  FROM documents d JOIN tenants t ON t.id = d.tenant_id CROSS JOIN (VALUES ('documents'), ('stored_bytes')) AS w (what)
  GROUP BY d.tenant_id, w.what
"""

UNDO = """
DROP POLICY every ON consumer_groups;
DROP POLICY every ON group_events;
REVOKE SELECT, DELETE ON consumer_groups, group_events FROM bucatini_system;
REVOKE DELETE ON schedules, webhooks, webhook_secrets FROM bucatini_system;
DROP POLICY own ON holds;
DROP POLICY add_own ON holds;
DROP POLICY remove_own ON holds;
CREATE POLICY own ON holds TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
ALTER TABLE holds DROP COLUMN by_operator;
UPDATE webhooks SET paused_because = 'owner' WHERE paused_because = 'tenant-suspended';
ALTER TABLE webhooks DROP CONSTRAINT webhooks_paused_because_check,
  ADD CONSTRAINT webhooks_paused_because_check CHECK (paused_because IN ('owner', 'gone', 'failing'));
UPDATE api_keys SET scopes = array_remove(scopes, 'tenants:admin') WHERE 'tenants:admin' = ANY(scopes);
DROP TABLE tenant_erasures;
DROP TABLE tenant_usage;
ALTER TABLE tenant_limits DROP CONSTRAINT tenant_limits_tenant_id_fkey,
  DROP COLUMN requests_per_minute, DROP COLUMN queued_jobs, DROP COLUMN stored_bytes, DROP COLUMN documents,
  DROP COLUMN schedules, DROP COLUMN webhooks, DROP COLUMN groups, DROP COLUMN streams, DROP COLUMN ai_usd_a_day,
  DROP COLUMN ai_usd_a_month;
COMMENT ON TABLE tenant_limits IS NULL;
DROP INDEX tenants_operator;
ALTER TABLE tenants DROP COLUMN display_name, DROP COLUMN region, DROP COLUMN is_operator, DROP COLUMN state,
  DROP COLUMN state_because, DROP COLUMN state_since;
DROP INDEX jobs_later
"""


def upgrade() -> None:
    # No job that is queued when it is submitted stands in it: counting a tenant's waiting jobs costs submission nothing.
    build_index("jobs_later", "jobs (tenant_id) WHERE state IN ('scheduled', 'retrying', 'waiting')")
    for statement in (TABLES + ";" + SECURITY + ";" + ROWS).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in UNDO.split(";\n"):
        op.execute(statement)

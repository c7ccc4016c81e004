"""Webhooks with their signing keys and deliveries; consumer groups with the events their members hold."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The five columns from `seen` on are a place in the tenant's feed: infrastructure/postgres/feed.py, Position.
TABLES = """
CREATE TABLE webhooks (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  url text NOT NULL,
  types text[] NOT NULL,
  description text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  paused_at timestamptz,
  paused_because text CHECK (paused_because IN ('owner', 'gone', 'failing')),
  failing_since timestamptz,
  seen text NOT NULL DEFAULT pg_current_snapshot()::text,
  upto text,
  after_at timestamptz,
  after_job_id uuid,
  after_seq int,
  fed_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((paused_at IS NULL) = (paused_because IS NULL))
);
CREATE INDEX webhooks_tenant ON webhooks (tenant_id, id);
COMMENT ON COLUMN webhooks.fed_at IS 'When the feeder last had a turn for it; who waits longest is next';

CREATE TABLE webhook_secrets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL,
  webhook_id uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  master_key_id text NOT NULL,
  wrapped bytea NOT NULL,
  valid_until timestamptz
);
CREATE INDEX webhook_secrets_webhook ON webhook_secrets (webhook_id, id);
COMMENT ON COLUMN webhook_secrets.valid_until IS 'NULL: the one that stands; the others still sign until then';

CREATE TABLE webhook_deliveries (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  webhook_id uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event_job_id uuid,
  event_seq int,
  type text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'pending', 'delivered', 'failed')),
  job_id uuid,
  attempts smallint NOT NULL DEFAULT 0,
  status smallint,
  duration_seconds float8,
  answer_bytes int,
  problem jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  attempted_at timestamptz,
  UNIQUE (webhook_id, event_job_id, event_seq)
) WITH (fillfactor = 85);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_open ON webhook_deliveries (webhook_id, id) WHERE state IN ('waiting', 'pending');
COMMENT ON COLUMN webhook_deliveries.event_job_id IS 'NULL for a test, whose event is stored nowhere';

CREATE TABLE consumer_groups (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  types text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  seen text NOT NULL DEFAULT pg_current_snapshot()::text,
  upto text,
  after_at timestamptz,
  after_job_id uuid,
  after_seq int,
  PRIMARY KEY (tenant_id, name)
);

CREATE TABLE group_events (
  tenant_id uuid NOT NULL,
  group_name text NOT NULL,
  job_id uuid NOT NULL,
  seq int NOT NULL,
  at timestamptz NOT NULL,
  lease uuid,
  leased_until timestamptz,
  deliveries smallint NOT NULL DEFAULT 0,
  parked_at timestamptz,
  PRIMARY KEY (tenant_id, group_name, job_id, seq),
  FOREIGN KEY (tenant_id, group_name) REFERENCES consumer_groups (tenant_id, name) ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX group_events_order ON group_events (tenant_id, group_name, at, job_id, seq);
COMMENT ON TABLE group_events IS 'What a group has taken up and nobody has acknowledged; an acknowledged event is gone';
COMMENT ON COLUMN group_events.lease IS 'Whoever took it last; an acknowledgement has to name it'
"""

# As in 0001. A tenant's role may give a webhook another signing key and never reads one, not even wrapped.
SECURITY = """
ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE consumer_groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON webhooks TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON webhook_secrets TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON webhook_deliveries TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON consumer_groups TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY own ON group_events TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON webhooks TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON webhook_secrets TO bucatini_system USING (true) WITH CHECK (true);
CREATE POLICY every ON webhook_deliveries TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON webhooks TO bucatini_tenant;
GRANT INSERT (id, tenant_id, url, types, description, paused_at, paused_because) ON webhooks TO bucatini_tenant;
GRANT UPDATE (url, types, description, paused_at, paused_because, failing_since) ON webhooks TO bucatini_tenant;
GRANT SELECT (id, tenant_id, webhook_id, valid_until), DELETE ON webhook_secrets TO bucatini_tenant;
GRANT INSERT (tenant_id, webhook_id, master_key_id, wrapped), UPDATE (valid_until) ON webhook_secrets TO bucatini_tenant;
GRANT SELECT ON webhook_deliveries TO bucatini_tenant;
GRANT INSERT (id, tenant_id, webhook_id, type, state) ON webhook_deliveries TO bucatini_tenant;
GRANT UPDATE (state, job_id, attempts) ON webhook_deliveries TO bucatini_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON consumer_groups, group_events TO bucatini_tenant;
GRANT SELECT, UPDATE ON webhooks TO bucatini_system;
GRANT SELECT ON webhook_secrets TO bucatini_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO bucatini_system
"""


def upgrade() -> None:
    for statement in (TABLES + ";" + SECURITY).split(";\n"):
        op.execute(statement)

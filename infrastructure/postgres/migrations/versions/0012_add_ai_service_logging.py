"""Calls of models are recorded one row an attempt; prompts, tenants' own keys of providers, and finished sections are kept."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
serves = "0011"

LEDGER = """
CREATE TABLE ai_service_requests (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  job_id uuid,
  job_attempt int,
  kind text,
  purpose text NOT NULL,
  section int,
  prompt text,
  prompt_version int,
  provider text NOT NULL,
  model text NOT NULL,
  lane text NOT NULL,
  own_key boolean NOT NULL,
  outcome text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  reserved_usd numeric(18, 10),
  status int,
  error_code text,
  request_id text,
  served_model text,
  served_tier text,
  finish_reason text,
  accepted boolean NOT NULL DEFAULT false,
  usage jsonb,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  priced boolean NOT NULL DEFAULT false,
  cost_usd numeric(18, 10),
  price_source text,
  shadow_usd numeric(18, 10),
  first_token_ms real,
  total_ms real,
  CONSTRAINT ai_service_requests_priced CHECK (priced = (cost_usd IS NOT NULL))
);
CREATE INDEX idx_ai_requests_tenant_date ON ai_service_requests (tenant_id, created_at DESC);
CREATE INDEX ai_service_requests_of_job ON ai_service_requests (job_id, created_at) WHERE job_id IS NOT NULL;
CREATE INDEX ai_service_requests_open ON ai_service_requests (created_at) WHERE ended_at IS NULL;
CREATE INDEX ai_service_requests_unpriced ON ai_service_requests (tenant_id, ended_at) WHERE NOT priced;
COMMENT ON TABLE ai_service_requests IS 'The ledger of model calls: one row an attempt, written before the call and ended after it';
COMMENT ON COLUMN ai_service_requests.outcome IS 'open, succeeded, cached, shared, abandoned (by us), lost (its process died), or the class of the error';
COMMENT ON COLUMN ai_service_requests.own_key IS 'Whether it was called with the tenant''s own key';
COMMENT ON COLUMN ai_service_requests.reserved_usd IS 'What it may cost at most; counts as spent while it is open, and when its cost is unknown';
COMMENT ON COLUMN ai_service_requests.usage IS 'As the provider sent it, word for word';
COMMENT ON COLUMN ai_service_requests.accepted IS 'The provider had begun to answer, so it charges for it';
COMMENT ON COLUMN ai_service_requests.cost_usd IS 'NULL: nobody knows it';
COMMENT ON COLUMN ai_service_requests.price_source IS 'Where the prices are from';
COMMENT ON COLUMN ai_service_requests.shadow_usd IS 'What the same would have cost without caches, lanes and the optimiser'
"""

PROMPTS = """
CREATE TABLE ai_prompts (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  newest_version int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name)
);
CREATE TABLE ai_prompt_versions (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  version int NOT NULL,
  industry text,
  base int,
  cell text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  digest bytea NOT NULL,
  note text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  PRIMARY KEY (tenant_id, name, version),
  CONSTRAINT ai_prompt_versions_prompt_fkey FOREIGN KEY (tenant_id, name) REFERENCES ai_prompts,
  CONSTRAINT ai_prompt_versions_cell UNIQUE (tenant_id, cell)
);
CREATE TABLE ai_prompt_labels (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  label text NOT NULL,
  industry text NOT NULL DEFAULT '',
  moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  moved_by text NOT NULL,
  because text NOT NULL DEFAULT '',
  variants jsonb NOT NULL,
  PRIMARY KEY (tenant_id, name, label, industry, moved_at),
  CONSTRAINT ai_prompt_labels_prompt_fkey FOREIGN KEY (tenant_id, name) REFERENCES ai_prompts
);
CREATE TABLE ai_prompt_tests (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  test text NOT NULL,
  industry text,
  cell text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name, test),
  CONSTRAINT ai_prompt_tests_prompt_fkey FOREIGN KEY (tenant_id, name) REFERENCES ai_prompts,
  CONSTRAINT ai_prompt_tests_cell UNIQUE (tenant_id, cell)
);
CREATE TABLE ai_prompt_test_runs (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  version int NOT NULL,
  job_id uuid NOT NULL,
  tests_digest bytea NOT NULL,
  passed boolean NOT NULL,
  results jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name, version, job_id),
  CONSTRAINT ai_prompt_test_runs_prompt_fkey FOREIGN KEY (tenant_id, name) REFERENCES ai_prompts
);
CREATE TABLE ai_prompt_exposures (
  tenant_id uuid NOT NULL,
  job_id uuid NOT NULL,
  name text NOT NULL,
  version int NOT NULL,
  label text,
  subject_hash bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, job_id)
);
CREATE INDEX ai_prompt_exposures_of_version ON ai_prompt_exposures (tenant_id, name, version, created_at);
COMMENT ON TABLE ai_prompt_labels IS 'Each move of a label; the newest says where it points';
COMMENT ON COLUMN ai_prompt_labels.industry IS 'Empty: for all';
COMMENT ON COLUMN ai_prompt_versions.cell IS 'Names the row in its sealed values';
COMMENT ON COLUMN ai_prompt_versions.industry IS 'NULL: the base; else an overlay of it';
COMMENT ON COLUMN ai_prompt_versions.base IS 'The version that an overlay changes; it may have come with the product';
COMMENT ON COLUMN ai_prompt_tests.industry IS 'NULL: it is for all versions; else for overlays of this industry';
COMMENT ON COLUMN ai_prompt_tests.cell IS 'Names the row in its sealed values; a new one at each change';
COMMENT ON COLUMN ai_prompt_test_runs.tests_digest IS 'Of the tests that were run: a label is moved by runs of the present tests only';
COMMENT ON TABLE ai_prompt_exposures IS 'Which version a job was written with, by which label'
"""

STATE = """
CREATE TABLE ai_credentials (
  tenant_id uuid NOT NULL,
  provider text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  hint text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  updated_by text NOT NULL,
  PRIMARY KEY (tenant_id, provider)
);
CREATE TABLE ai_sections (
  tenant_id uuid NOT NULL,
  job_id uuid NOT NULL,
  section int NOT NULL,
  cell text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, job_id, section),
  CONSTRAINT ai_sections_cell UNIQUE (tenant_id, cell)
);
CREATE INDEX ai_sections_old ON ai_sections (created_at);
CREATE TABLE ai_budget_alerts (
  tenant_id uuid NOT NULL,
  scope text NOT NULL,
  period text NOT NULL,
  percent int NOT NULL,
  job_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, scope, period, percent)
);
CREATE INDEX ai_budget_alerts_old ON ai_budget_alerts (created_at);
CREATE TABLE ai_batches (
  tenant_id uuid NOT NULL,
  job_id uuid NOT NULL,
  asked text COLLATE "C" NOT NULL,
  request_id uuid NOT NULL,
  batch_id text NOT NULL,
  submitted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, job_id, asked)
);
CREATE INDEX ai_batches_of_request ON ai_batches (request_id);
COMMENT ON COLUMN ai_credentials.provider IS 'Names the row in its sealed value';
COMMENT ON COLUMN ai_sections.section IS '-1: the plan';
COMMENT ON COLUMN ai_sections.cell IS 'Names the row in its sealed values';
COMMENT ON TABLE ai_budget_alerts IS 'The parts of a budget whose event was published: once in a period';
COMMENT ON TABLE ai_batches IS 'What waits in a batch of a provider';
COMMENT ON COLUMN ai_batches.asked IS 'What was asked, as a hash';
COMMENT ON COLUMN ai_batches.request_id IS 'Its row in the ledger'
"""

TABLES = (
    "ai_service_requests",
    "ai_prompts",
    "ai_prompt_versions",
    "ai_prompt_labels",
    "ai_prompt_tests",
    "ai_prompt_test_runs",
    "ai_prompt_exposures",
    "ai_credentials",
    "ai_sections",
    "ai_budget_alerts",
    "ai_batches",
)

# As in 0001. The system rotates what is sealed, erases tenants, and ends the rows of processes that died.
OWN = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON {table} TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON {table} TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO bucatini_tenant, bucatini_system
"""


def upgrade() -> None:
    security = ";\n".join(OWN.format(table=table).strip() for table in TABLES)
    for statement in (LEDGER + ";" + PROMPTS + ";" + STATE + ";" + security).split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")

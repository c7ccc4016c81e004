"""What batches need of the jobs' indexes; schedules, and who may do what with them."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Ordinary jobs are in neither index. The first lists a batch's jobs page by page; the second holds only children that
# haven't ended, so that "is this the last one?" costs the same however many have.
CHILDREN = """
DROP INDEX jobs_parent;
CREATE INDEX jobs_parent ON jobs (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_unfinished_child ON jobs (parent_id, id)
  WHERE parent_id IS NOT NULL AND state NOT IN ('cancelled', 'dead', 'failed', 'succeeded')
"""

SCHEDULES = """
CREATE TABLE schedules (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  cron text NOT NULL,
  timezone text NOT NULL,
  kind text NOT NULL,
  command jsonb NOT NULL,
  priority smallint NOT NULL,
  deadline_seconds int,
  overlap text NOT NULL CHECK (overlap IN ('skip', 'queue', 'cancel_running')),
  catch_up text NOT NULL CHECK (catch_up IN ('none', 'last', 'all')),
  catch_up_most int NOT NULL,
  catch_up_window_seconds int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  paused_at timestamptz,
  paused_because text,
  look_at timestamptz,
  next_at timestamptz,
  held timestamptz[] NOT NULL DEFAULT '{}',
  last_at timestamptz,
  last_job_id uuid,
  UNIQUE (tenant_id, name)
);
COMMENT ON COLUMN schedules.next_at IS 'The next slot that nothing was decided about yet';
COMMENT ON COLUMN schedules.held IS 'Slots whose jobs wait for the job before them to end';
COMMENT ON COLUMN schedules.look_at IS 'When a dispatcher must look at it; NULL: paused, or no slot is left';
CREATE INDEX schedules_look ON schedules (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX schedules_tenant ON schedules (tenant_id, id)
"""

# As in 0001. A dispatcher fires schedules and makes none.
SECURITY = """
ALTER TABLE schedules ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON schedules TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON schedules TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON schedules TO bucatini_tenant;
GRANT SELECT, UPDATE ON schedules TO bucatini_system
"""


def upgrade() -> None:
    for statement in f"{CHILDREN};{SCHEDULES};{SECURITY}".split(";\n"):
        op.execute(statement)

"""Answers are kept that a job paid for and hasn't used yet; batches are looked after whose job has ended; labels walk back."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
serves = "0011"

ANSWERS = """
CREATE TABLE ai_answers (
  tenant_id uuid NOT NULL,
  asked text COLLATE "C" NOT NULL,
  job_id uuid NOT NULL,
  section int NOT NULL,
  cell text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, asked, job_id),
  CONSTRAINT ai_answers_cell UNIQUE (tenant_id, cell)
);
CREATE INDEX ai_answers_of_job ON ai_answers (job_id, section);
CREATE INDEX ai_answers_old ON ai_answers (created_at);
COMMENT ON TABLE ai_answers IS 'Answers that were paid for, until what they were for is a checkpoint or the job has ended';
COMMENT ON COLUMN ai_answers.asked IS 'What was asked, as a hash';
COMMENT ON COLUMN ai_answers.section IS '-1: of none';
COMMENT ON COLUMN ai_answers.cell IS 'Names the row in its sealed values'
"""
LOOKED_AT = """
ALTER TABLE ai_batches ADD COLUMN looked_at timestamptz;
COMMENT ON COLUMN ai_batches.looked_at IS 'When a worker last asked for it though its job had ended'
"""
BACK_TO = """
ALTER TABLE ai_prompt_labels ADD COLUMN back_to timestamptz;
COMMENT ON COLUMN ai_prompt_labels.back_to IS 'Of a move back: the one whose place it took; 1970 for where it pointed when the prompt came'
"""

# As in 0012.
OWN = """
ALTER TABLE ai_answers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ai_answers TO bucatini_tenant
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY every ON ai_answers TO bucatini_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON ai_answers TO bucatini_tenant, bucatini_system
"""


def upgrade() -> None:
    for statements in (ANSWERS, OWN, LOOKED_AT, BACK_TO):
        for statement in statements.strip().split(";\n"):
            op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE ai_answers")
    op.execute("ALTER TABLE ai_batches DROP COLUMN looked_at")
    op.execute("ALTER TABLE ai_prompt_labels DROP COLUMN back_to")

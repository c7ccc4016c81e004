"""Tables tell whose processes they serve; and the index of failures as all databases should have it.

`0004_failures` was changed once after it had landed, so in databases made before, `jobs_failures` holds jobs that run.
"""

from alembic import op

from infrastructure.postgres.migrations.online import build_index, definition_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
serves = "0007"

# One row: env.py writes what the migrations' `serves` say.
TABLE = """
CREATE TABLE schema_compatibility (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  serves text COLLATE "C" NOT NULL
);
COMMENT ON TABLE schema_compatibility IS 'Processes written for this version of the tables, or a later one, may work on them'
"""


def upgrade() -> None:
    if "'running'" not in definition_of("jobs_failures"):
        # A job that runs again would stand in it once more for each attempt: a twentieth of the speed where every third
        # job fails.
        build_index(
            "jobs_failures",
            "jobs (tenant_id, fingerprint, failed_at, id) WHERE fingerprint IS NOT NULL AND state <> 'running'",
        )
    for statement in TABLE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    # The index stays: what is written for 0007 works with it, and many databases of 0007 have it so.
    op.execute("DROP TABLE schema_compatibility")

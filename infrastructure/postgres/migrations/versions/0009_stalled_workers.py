"""A worker that lives and does nothing says so, and which run keeps it from it."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
serves = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE workers ADD COLUMN stalled_at timestamptz, ADD COLUMN stalled_by uuid")


def downgrade() -> None:
    op.execute("ALTER TABLE workers DROP COLUMN stalled_at, DROP COLUMN stalled_by")

"""Schedules may cap their jobs together with others, as lone submissions may."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE schedules ADD COLUMN concurrency_key text, ADD COLUMN concurrency_limit int")

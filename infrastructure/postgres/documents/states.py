"""Which state a version is in. Until its import stored something with it, that follows from its job: one that was cancelled,
that died or that is gone writes no more, and so nothing is `importing` that nobody imports.

Both expressions are for statements in which the name given is that of a row of `document_versions`.
"""

from typing import Final

from schemas.documents import VersionState
from schemas.jobs import TERMINAL, JobState
from schemas.problems import Problem

NOT_IMPORTED: Final = Problem.of(
    "import-ended",
    "The import ended without a text",
    409,
    "Its job was cancelled, or is gone. Upload the content again.",
)
"""Where the job gives no reason."""

_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_GONE: Final = "gone"


def state_of(version: str) -> str:
    """An expression: one of VersionState. Replaying the job has it be `importing` again."""
    job = f"SELECT j.state FROM jobs j WHERE j.tenant_id = {version}.tenant_id AND j.id = {version}.job_id"
    return (
        f"CASE WHEN {version}.state = '{VersionState.IMPORTING}' AND coalesce(({job}), '{_GONE}') IN ({_ENDED}, '{_GONE}') "
        f"THEN '{VersionState.FAILED}' ELSE {version}.state END"
    )


def problem_of(version: str) -> str:
    """An expression: why the version has no text; NULL where that isn't known, or where it has one."""
    job = (
        f"SELECT j.problem FROM jobs j WHERE j.tenant_id = {version}.tenant_id AND j.id = {version}.job_id "
        f"AND j.state IN ('{JobState.FAILED}', '{JobState.DEAD}')"
    )
    return f"CASE {version}.state WHEN '{VersionState.IMPORTING}' THEN ({job}) ELSE {version}.problem END"

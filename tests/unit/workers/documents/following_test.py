"""Which jobs follow an import."""

from datetime import UTC, datetime

import pytest

from infrastructure.ports.documents import VersionDetails
from schemas.ai import ProcessDocument
from schemas.commands import Command
from schemas.documents import DocumentRef, IngestionProfile, VersionState, WorkflowStart
from schemas.search import IndexDocument
from schemas.workflow import Definition, RunWorkflowStep
from workers.documents.importing import what_follows

REF = DocumentRef(id="lease", version=2)
DONE = Definition.model_validate({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
START = RunWorkflowStep(definition=DONE, input={"document": {"id": "lease", "version": 2}})


def _details(*, is_current: bool) -> VersionDetails:
    return VersionDetails(
        document_id="lease",
        version=2,
        state=VersionState.READY,
        is_current=is_current,
        is_deleted=False,
        media_type="text/plain",
        file_name=None,
        title="Lease",
        document_type="document",
        industry=None,
        language="en",
        tags=(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("profile", "is_current", "commands"),
    [
        (IngestionProfile(), True, [IndexDocument(document=REF)]),
        (IngestionProfile(), False, []),
        (IngestionProfile(index=False), True, []),
        (IngestionProfile(process=True), False, [ProcessDocument(document=REF)]),
        (
            IngestionProfile(process=True, workflow=WorkflowStart(definition=DONE)),
            True,
            [IndexDocument(document=REF), ProcessDocument(document=REF), START],
        ),
    ],
)
def test_the_profile_says_what_follows_and_an_overtaken_version_isnt_indexed(
    profile: IngestionProfile, is_current: bool, commands: list[Command]
) -> None:
    assert list(what_follows(_details(is_current=is_current), profile)) == commands

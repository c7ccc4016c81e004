"""Examples of ingestion profiles."""

from api.documentation.examples.jobs import NOON
from schemas.documents import DEFAULT_PROFILE, IngestionProfile, IngestionProfiles, NamedProfile, WorkflowStart
from schemas.workflow import Definition

_READ_AND_INDEX = Definition.model_validate(
    {
        "StartAt": "Read",
        "States": {
            "Read": {
                "Type": "Task",
                "Resource": "urn:bucatini:job:ai.process_document",
                "Parameters": {"document.$": "$.document"},
                "End": True,
            }
        },
    }
)
_CONTRACTS = NamedProfile(name="contracts", process=True, updated_at=NOON)

REQUESTS = (IngestionProfile(index=True, workflow=WorkflowStart(definition=_READ_AND_INDEX)),)
ANSWERS = (
    _CONTRACTS,
    IngestionProfiles(profiles=(NamedProfile(name=DEFAULT_PROFILE), _CONTRACTS)),
)

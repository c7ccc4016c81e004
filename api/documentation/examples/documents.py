"""Examples of documents, their versions and what was found in them."""

from api.documentation.examples.jobs import A_SECOND_LATER, JOB, JOB_ID, NOON
from api.routes.documents.fields import BatchFields, DocumentBatch, UploadFields, VersionFields
from schemas.documents import (
    Document,
    DocumentAccepted,
    DocumentBatchAccepted,
    DocumentChange,
    DocumentFacts,
    DocumentFinding,
    DocumentOfBatch,
    DocumentPage,
    DocumentRemoval,
    DocumentVersion,
    DocumentVersions,
    NewDocument,
    NewVersion,
    VersionState,
)

ID = "contracts/2026/0117"
_VERSION = DocumentVersion(
    version=3,
    state=VersionState.READY,
    media_type="application/pdf",
    file_name="lease.pdf",
    size_bytes=48_213,
    digest="sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    characters=10_412,
    words=1_873,
    pages=4,
    language="en",
    job_id=JOB_ID,
    created_at=NOON,
    imported_at=A_SECOND_LATER,
)
_DOCUMENT = Document(
    id=ID,
    version=3,
    current_version=3,
    title="Lease",
    document_type="lease",
    language="en",
    tags=("2026",),
    metadata={"landlord": "Acme Ltd"},
    created_at=NOON,
    updated_at=NOON,
    newest=_VERSION,
)

ANSWERS = (
    _DOCUMENT,
    _VERSION,
    DocumentAccepted(document=_DOCUMENT, job=JOB.model_copy(update={"kind": "documents.import", "queue": "search"})),
    DocumentPage(documents=(_DOCUMENT,)),
    DocumentVersions(versions=(_VERSION,)),
    DocumentFacts(
        facts=(
            DocumentFinding(
                version=3, job_id=JOB_ID, kind="ai.process_document", found_at=A_SECOND_LATER, facts={"amounts": []}
            ),
        )
    ),
    DocumentRemoval(id=ID, version=3, job_id=JOB_ID),
    DocumentBatchAccepted(
        id=JOB_ID, name="Contracts of May", total=1, documents=(DocumentOfBatch(id=ID, version=3, job_id=JOB_ID),)
    ),
)
_NEW = NewDocument(id=ID, title="Lease", document_type="lease", text="The rent is due on the first of each month.")
REQUESTS = (
    _NEW,
    NewVersion(title="Lease", document_type="lease", text="The rent is due on the third of each month."),
    DocumentChange(tags=("2026", "paid")),
    DocumentBatch(documents=(_NEW,), name="Contracts of May"),
    UploadFields(id=ID, title="Lease", document_type="lease"),
    VersionFields(title="Lease", document_type="lease"),
    BatchFields(name="Contracts of May", documents=(UploadFields(id=ID, title="Lease"),)),
)

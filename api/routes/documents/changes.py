"""Changes what is said about documents, and deletes them."""

from api.endpoint import Call, Empty
from api.http import problems
from api.http.responses import UNSHARED, Answer, json_answer
from api.routes.documents.acceptance import WHAT, import_options, precondition_failed, precondition_of
from infrastructure.postgres.documents import changes
from infrastructure.postgres.documents.changes import Changed, Deleted, NotAsExpected, NotThere
from infrastructure.postgres.documents.etags import etag
from schemas.documents import DocumentChange, DocumentRemoval


async def change_document(call: Call[DocumentChange, Empty]) -> Answer:
    """200 with the document as it is now; a job has its index learn of it. Repeating it is safe."""
    if changes.is_indexed(call.body):
        await call.admit_jobs()
    outcome = await call.orm.run(
        changes.change,
        call.path["id"],
        call.body,
        precondition_of(call),
        options=import_options(call),
        ring_again_seconds=call.ingress.settings.ring_again_seconds,
    )
    match outcome:
        case Changed(document, stored):
            if stored is not None:
                call.ingress.submitter.ring_stored([stored])
            return json_answer(200, document, UNSHARED, (b"etag", etag(document).encode()))
        case NotThere():
            raise problems.not_found(WHAT)
        case NotAsExpected(document):
            raise precondition_failed(call, document)


async def delete_document(call: Call[Empty, Empty]) -> Answer:
    """202 with the job that removes its contents. From now on it isn't found."""
    await call.admit_jobs()
    outcome = await call.orm.run(
        changes.delete,
        call.path["id"],
        precondition_of(call),
        options=import_options(call),
        ring_again_seconds=call.ingress.settings.ring_again_seconds,
    )
    match outcome:
        case Deleted(stored, version):
            call.ingress.submitter.ring_stored([stored])
            removal = DocumentRemoval(id=call.path["id"], version=version, job_id=stored.ref.job_id)
            return json_answer(202, removal, (b"location", f"/api/jobs/{removal.job_id}".encode()))
        case NotThere():
            raise problems.not_found(WHAT)
        case NotAsExpected(document):
            raise precondition_failed(call, document)

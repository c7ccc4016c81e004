"""The addresses of documents.

An id may have slashes, sent as they are or as `%2F`. What follows the last slash that was sent as it is may be one of
`versions`, `versions/{n}`, `content`, `text`, `facts` and `jobs`; an id that itself ends like this is sent with `%2F`.
"""

from typing import Final

from api.auth.principal import Scope
from api.endpoint import Endpoint, Uploads
from api.http.pagination import PageQuery
from api.http.responses import Media
from api.routes.documents.batches import FILES, add_files, add_texts
from api.routes.documents.changes import change_document, delete_document
from api.routes.documents.contents import ContentQuery, show_content, show_text
from api.routes.documents.fields import (
    BatchFields,
    DocumentBatch,
    UploadFields,
    UploadQuery,
    VersionFields,
    VersionQuery,
)
from api.routes.documents.reads import (
    DocumentQuery,
    FactsQuery,
    list_documents,
    list_facts,
    list_jobs,
    list_versions,
    show_document,
    show_version,
)
from api.routes.documents.uploads import FILE, add_text, add_upload, put_text, put_upload
from schemas.documents import (
    Document,
    DocumentAccepted,
    DocumentBatchAccepted,
    DocumentChange,
    DocumentFacts,
    DocumentPage,
    DocumentRemoval,
    DocumentVersion,
    DocumentVersions,
    NewDocument,
    NewVersion,
)
from schemas.jobs import JobPage

_WAYS: Final = (
    "Send JSON with a text; or the file itself with its media type, its name in `Content-Disposition` and what else is said "
    "about it in the query; or `multipart/form-data` with the part `file` and the fields in any order. Files are stored as "
    "they arrive. `Content-Digest: sha-256=:…:` (RFC 9530) is checked. `Prefer: wait=N` answers once it was imported."
)
_ID: Final = "An id may have slashes, as they are or as `%2F`; with `%2F` it is never taken for a part of the document."

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/documents/batch",
        summary="Add many documents",
        description=(
            "All are stored in one transaction, or none. Send JSON with their texts; or `multipart/form-data` with a part "
            "`files` for each, and `documents` with what is said about them, in their order, as JSON. "
            "`GET /api/batches/{id}` shows how far they are imported, and `Prefer: wait=N` waits for it."
        ),
        handle=add_texts,
        body=DocumentBatch,
        uploads=Uploads(add_files, form=BatchFields, files=FILES, many=True, raw=False),
        answers={202: DocumentBatchAccepted},
        scope=Scope.DOCUMENTS_WRITE,
        headers=("content-digest", "idempotency-key", "prefer"),
        problems=(409, 422),
        many=True,
        among_ids=True,
    ),
    Endpoint(
        method="POST",
        path="/api/documents",
        summary="Add a document",
        description=(
            f"{_WAYS} Of an id that is there already this is another version. The same content with the same fields as the "
            "newest version is answered with 200, and nothing is stored."
        ),
        handle=add_text,
        body=NewDocument,
        uploads=Uploads(add_upload, form=UploadFields, files=FILE),
        query=UploadQuery,
        answers={202: DocumentAccepted, 200: DocumentAccepted},
        scope=Scope.DOCUMENTS_WRITE,
        headers=("content-disposition", "content-digest", "idempotency-key", "prefer"),
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/documents",
        summary="List documents",
        description="The newest first. A page may have fewer than `limit`: there are more as long as there is a cursor.",
        handle=list_documents,
        query=DocumentQuery,
        answers={200: DocumentPage},
        scope=Scope.DOCUMENTS_READ,
        headers=("if-none-match",),
        problems=(400,),
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}/versions/{n}",
        summary="Show a version",
        description=_ID,
        handle=show_version,
        answers={200: DocumentVersion},
        scope=Scope.DOCUMENTS_READ,
        headers=("if-none-match",),
        problems=(404,),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}/versions",
        summary="List a document's versions",
        description=f"The newest first. {_ID}",
        handle=list_versions,
        query=PageQuery,
        answers={200: DocumentVersions},
        scope=Scope.DOCUMENTS_READ,
        headers=("if-none-match",),
        problems=(400, 404),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}/content",
        summary="Fetch a document's original",
        description=(
            "As it was sent; of a version that came as JSON, its text in UTF-8. It can be fetched in parts: a `Range` of one "
            f"part is answered with 206, and of several with the whole. {_ID}"
        ),
        handle=show_content,
        query=ContentQuery,
        answers={200: Media("*/*", "The original."), 206: Media("*/*", "The bytes that were asked for.")},
        scope=Scope.DOCUMENTS_READ,
        headers=("range", "if-range", "if-none-match"),
        problems=(404, 416),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}/text",
        summary="Fetch a document's text",
        description=f"What was read of it; 404 until it was imported. In parts as its original. {_ID}",
        handle=show_text,
        query=ContentQuery,
        answers={
            200: Media("text/plain", "The text, in UTF-8."),
            206: Media("text/plain", "The bytes that were asked for."),
        },
        scope=Scope.DOCUMENTS_READ,
        headers=("range", "if-range", "if-none-match"),
        problems=(404, 416),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}/facts",
        summary="List what was found in a document",
        description=f"By jobs, the newest first, each with the version that it read. {_ID}",
        handle=list_facts,
        query=FactsQuery,
        answers={200: DocumentFacts},
        scope=Scope.DOCUMENTS_READ,
        headers=("if-none-match",),
        problems=(400, 404),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}/jobs",
        summary="List a document's jobs",
        description=f"The newest first; of a deleted document too. {_ID}",
        handle=list_jobs,
        query=PageQuery,
        answers={200: JobPage},
        scope=Scope.DOCUMENTS_READ,
        headers=("if-none-match",),
        problems=(400, 404),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/documents/{id}",
        summary="Show a document",
        description=f"With its newest version. {_ID}",
        handle=show_document,
        answers={200: Document},
        scope=Scope.DOCUMENTS_READ,
        headers=("if-none-match",),
        problems=(404,),
        slashes=True,
    ),
    Endpoint(
        method="PUT",
        path="/api/documents/{id}",
        summary="Store a version of a document",
        description=(
            f"It is made if it isn't there. {_WAYS} `If-Match` and `If-None-Match: *` refuse what would go over somebody "
            f"else's version (412). {_ID}"
        ),
        handle=put_text,
        body=NewVersion,
        uploads=Uploads(put_upload, form=VersionFields, files=FILE),
        query=VersionQuery,
        answers={202: DocumentAccepted, 200: DocumentAccepted},
        scope=Scope.DOCUMENTS_WRITE,
        headers=("content-disposition", "content-digest", "if-match", "unless-there", "idempotency-key", "prefer"),
        problems=(409, 412, 422),
        slashes=True,
    ),
    Endpoint(
        method="PATCH",
        path="/api/documents/{id}",
        summary="Change what is said about a document",
        description=(
            "What isn't given stays as it is. The content doesn't change: store a version for that. Where the document can be "
            f"found by searching, a job has it found as it is described now. {_ID}"
        ),
        handle=change_document,
        body=DocumentChange,
        answers={200: Document},
        scope=Scope.DOCUMENTS_WRITE,
        headers=("if-match",),
        problems=(404, 409, 412),
        slashes=True,
    ),
    Endpoint(
        method="DELETE",
        path="/api/documents/{id}",
        summary="Delete a document",
        description=(
            "From now on it isn't found, and a job removes its contents for good. Its id and version numbers are remembered: "
            "a version that is still being imported doesn't bring it back, and a new one goes on counting. If that job was "
            f"cancelled, or died, deleting the document again makes another. {_ID}"
        ),
        handle=delete_document,
        answers={202: DocumentRemoval},
        scope=Scope.DOCUMENTS_WRITE,
        headers=("if-match",),
        problems=(404, 409, 412),
        slashes=True,
    ),
)

"""Sends files as documents: which ones, in which requests, and what came of each."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from producers.cli.ingress import WrongUsage
from producers.cli.upload_progress import UploadProgress
from schemas.jobs import JobState
from schemas.model import Model

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.jobs import Job

MAX_FILES = 1_000
"""In one request, as the ingress has it."""
MAX_BYTES = 50_000_000
"""In one request with several files. A larger file is sent alone."""
MAX_ID = 200
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/-")


class Outcome(StrEnum):
    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    IMPORTING = "importing"
    FAILED = "failed"


class AddedDocument(Model):
    """What came of one file."""

    file: str
    outcome: Outcome
    id: str | None = None
    version: int | None = None
    job_id: UUID | None = None
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to send, and the id that its document is to have; None lets the ingress make one."""

    path: Path
    id: str | None
    size_bytes: int


def found_in(paths: Sequence[Path], document_id: str | None) -> list[Found]:
    """The files, and those below the folders, which are named by their paths: so adding a folder again adds what changed.
    WrongUsage when there is nothing to send."""
    found = [one for path in paths for one in _found(path)]
    if not found:
        raise WrongUsage(f"there is no file in {', '.join(map(str, paths))}")
    if document_id is None:
        return found
    if len(found) > 1:
        raise WrongUsage("--id is for one file")
    return [Found(found[0].path, document_id, found[0].size_bytes)]


def id_of_path(path: str) -> str:
    """An id that no other path has. What an id can't have is written as `~` and its bytes in hexadecimal."""
    written = "".join(one if one in PLAIN else "".join(f"~{byte:02x}" for byte in one.encode()) for one in path)
    if not written[0].isascii() or not written[0].isalnum():
        written = f"0~{written}"
    if len(written) <= MAX_ID:
        return written
    return f"{written[: MAX_ID - 18]}~~{sha256(path.encode()).hexdigest()[:16]}"


def send(
    client: "Bucatini", found: Sequence[Found], fields: Mapping[str, Any], name: str, progress: UploadProgress
) -> list[AddedDocument]:
    """Each file's document, accepted; files of a request are all accepted, or none. Raises what the client does."""
    from producers.client import BatchDocument

    added: list[AddedDocument] = []
    for request in _requests([one for one in found if one.size_bytes]):
        if len(request) == 1:
            (one,) = request
            handle = client.documents.add(one.path, id=one.id, progress=progress.sent, **fields)
            added.append(_accepted(one, handle.id, handle.document.version, handle.job.id if handle.job else None))
            continue
        documents = [BatchDocument(one.path, id=one.id, **fields) for one in request]
        batch = client.documents.add_all(documents, name=name, progress=progress.sent)
        added += [
            _accepted(one, of.id, of.version, of.job_id) for one, of in zip(request, batch.documents, strict=True)
        ]
    empty = [one for one in found if not one.size_bytes]
    return added + [AddedDocument(file=str(one.path), outcome=Outcome.FAILED, reason="it is empty") for one in empty]


def await_imports(
    client: "Bucatini", added: Sequence[AddedDocument], timeout_seconds: float | None, progress: UploadProgress
) -> list[AddedDocument]:
    """The same once their imports have ended, or the time is up."""
    from producers.client import ResultTimeout

    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    ended: dict[UUID, Job] = {}
    for job_id in [one.job_id for one in added if one.job_id is not None]:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        with suppress(ResultTimeout):
            ended[job_id] = client.jobs.wait(job_id, left)
        progress.imported(len(ended))
    return [_ended(one, ended) for one in added]


def _found(path: Path) -> Iterator[Found]:
    if path.is_file() or path.is_fifo():
        yield Found(path, None, path.stat().st_size or (1 if path.is_fifo() else 0))
    elif path.is_dir():
        folder = path.resolve()
        for file in sorted(path.rglob("*")):
            below = file.relative_to(path)
            # A link may lead anywhere: what isn't in the folder wasn't asked for.
            inside = file.resolve().is_relative_to(folder)
            if inside and file.is_file() and not any(part.startswith(".") for part in below.parts):
                yield Found(file, id_of_path(f"{path.resolve().name}/{below.as_posix()}"), file.stat().st_size)
    else:
        raise WrongUsage(f"there is no file or folder {path}")


def _requests(found: Iterable[Found]) -> Iterator[list[Found]]:
    request: list[Found] = []
    for one in found:
        size_bytes = sum(other.size_bytes for other in request) + one.size_bytes
        if request and (len(request) == MAX_FILES or size_bytes > MAX_BYTES):
            yield request
            request = []
        request.append(one)
    if request:
        yield request


def _accepted(found: Found, document_id: str, version: int, job_id: UUID | None) -> AddedDocument:
    outcome = Outcome.UNCHANGED if job_id is None else Outcome.IMPORTING
    return AddedDocument(file=str(found.path), outcome=outcome, id=document_id, version=version, job_id=job_id)


def _ended(added: AddedDocument, ended: "Mapping[UUID, Job]") -> AddedDocument:
    job = None if added.job_id is None else ended.get(added.job_id)
    if job is None:
        return added
    if job.state is JobState.SUCCEEDED:
        return added.model_copy(update={"outcome": Outcome.IMPORTED})
    problem = job.problem
    reason = (
        f"its import is {job.state}" if problem is None else " ".join(filter(None, (problem.title, problem.detail)))
    )
    return added.model_copy(update={"outcome": Outcome.FAILED, "reason": reason})

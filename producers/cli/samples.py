"""Imports a folder's documents through the ingress as any client would, follows each job's events as they happen, and reads
what was found."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.ai import ProcessDocument
from schemas.documents import DocumentFinding, IngestionProfile, VersionState
from schemas.jobs import Job, JobState
from schemas.search import AllTerms, IndexDocument, SearchQuery, SearchResults

if TYPE_CHECKING:
    from producers.client import AsyncBucatini, AsyncDocumentHandle

SUFFIXES: Final = frozenset({".docx", ".eml", ".htm", ".html", ".md", ".odt", ".pdf", ".pptx", ".rtf", ".txt", ".xlsx"})
MAX_SAMPLES = 200
AT_A_TIME = 8
PROFILE: Final = "samples"
FOUND_AND_INDEXED: Final = IngestionProfile(index=True, process=True)
PATIENCE_SECONDS: Final = 120.0
"""Of a document, from its upload to its end."""


class SamplesUnusable(Exception):
    """The folder has nothing to send. Name one with documents: texts, HTML, PDF, DOCX, …"""


class SampleFailed(Exception):
    """A document couldn't be sent or followed. The message names it and says what the ingress answered."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One event of one of a sample's jobs, as it arrived."""

    sample: str
    kind: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a sample: its last job, and what was found in it."""

    sample: str
    state: JobState
    reason: str = ""
    """Why there is nothing."""
    facts: dict[str, Any] | None = None
    milliseconds: float | None = None
    """From its upload to the last job's end, by the database's clock. None when it was imported before."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A search in what was imported."""

    words: str
    results: SearchResults


@dataclass(frozen=True, slots=True)
class Imported:
    finished: Sequence[Finished]
    answered: Answered | None

    @property
    def failed(self) -> int:
        return sum(one.state is not JobState.SUCCEEDED for one in self.finished)


def find_samples(folder: Path) -> list[Path]:
    """The folder's documents by name, 200 at the most."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)[:MAX_SAMPLES]
    if not files:
        raise SamplesUnusable(f"{folder} has no {' or '.join(sorted(SUFFIXES))} file")
    return files


async def import_samples(
    files: Sequence[Path], api_url: str, api_key: str, on_event: Callable[[Arrived], None]
) -> Imported:
    """Every sample's end, in their order, and a search's answer. SampleFailed when one can't be sent or followed to its end.

    A sample's document has its file's name in its id, so a file that is the same as last time isn't imported again.
    """
    from producers.client import AsyncBucatini, BucatiniError

    slots = asyncio.Semaphore(AT_A_TIME)
    async with AsyncBucatini(api_url, api_key) as client:

        async def import_one(file: Path) -> Finished:
            async with slots:
                try:
                    return await _imported(client, file, on_event)
                except BucatiniError as error:
                    raise SampleFailed(f"{file.name}: {error}") from None
                except TimeoutError:
                    raise SampleFailed(f"{file.name} isn't done after {PATIENCE_SECONDS:.0f} s") from None

        await client.documents.profiles.set(PROFILE, FOUND_AND_INDEXED)
        finished = await asyncio.gather(*map(import_one, files))
        try:
            return Imported(finished, await _searched(client, finished))
        except BucatiniError as error:
            raise SampleFailed(f"the search: {error}") from None


async def _imported(client: "AsyncBucatini", file: Path, on_event: Callable[[Arrived], None]) -> Finished:
    document = await client.documents.add(file, id=f"samples/{file.name}", profile=PROFILE)
    if document.job is None:
        return await _known(client, file, document)
    job = await _followed(client, file, document.job, on_event)
    if job.state is not JobState.SUCCEEDED:
        return _ended(file, job, job)
    last = job
    async for following in client.documents.jobs(document.id):
        if following.id <= job.id:
            break
        if following.kind in (ProcessDocument.kind, IndexDocument.kind):
            last = max(last, await _followed(client, file, following, on_event), key=_place)
    return await _with_facts(client, document, _ended(file, job, last))


async def _known(client: "AsyncBucatini", file: Path, document: "AsyncDocumentHandle") -> Finished:
    """Of a document that was there just so."""
    newest = document.document.newest
    if newest.state is VersionState.FAILED:
        return Finished(file.name, JobState.FAILED, newest.problem.title if newest.problem else "")
    await document.imported(PATIENCE_SECONDS)
    return await _with_facts(client, document, Finished(file.name, JobState.SUCCEEDED))


async def _followed(client: "AsyncBucatini", file: Path, job: Job, on_event: Callable[[Arrived], None]) -> Job:
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in client.jobs.events(job.id):
            on_event(Arrived(file.name, job.kind, event.type, event.data or {}))
    return await client.jobs.read(job.id)


def _place(job: Job) -> tuple[bool, datetime]:
    """What failed says more than what went well."""
    return job.state is not JobState.SUCCEEDED, job.finished_at or job.created_at


def _ended(file: Path, first: Job, last: Job) -> Finished:
    ended = last.finished_at or last.created_at
    milliseconds = (ended - first.created_at).total_seconds() * 1_000
    return Finished(file.name, last.state, last.problem.title if last.problem else "", milliseconds=milliseconds)


async def _with_facts(client: "AsyncBucatini", document: "AsyncDocumentHandle", finished: Finished) -> Finished:
    finding: DocumentFinding
    async for finding in client.documents.facts(document.id, version=document.document.version):
        if finding.kind == ProcessDocument.kind:
            return replace(finished, facts=finding.facts)
    return finished


async def _searched(client: "AsyncBucatini", finished: Sequence[Finished]) -> Answered | None:
    """What is found by the words that most of the documents are about."""
    about = Counter(words for one in finished for words in _about(one))
    if not about:
        return None
    words = about.most_common(1)[0][0]
    return Answered(words, await client.search.query(SearchQuery(match=AllTerms(text=words), limit=3)))


def _about(finished: Finished) -> dict[str, None]:
    """Each once, in their order."""
    phrases = [] if finished.facts is None else finished.facts["key_phrases"]
    return dict.fromkeys(phrase["text"].casefold() for phrase in phrases)

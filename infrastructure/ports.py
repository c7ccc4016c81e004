"""Every Protocol the domain may call, and the two ways an outside system can say no."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID

from events.ai import (
    Comparison,
    KeyPhrase,
    Language,
    Provider,
    Readability,
    Risk,
    Sentiment,
    SummarySentence,
    TextFacts,
    Writing,
)
from infrastructure.key_vault.sealed import Cell, Sealed
from schemas.ai import GenerateDocument
from schemas.problems import Problem
from schemas.search import IndexDocument, SearchQuery, SearchResults
from schemas.workflow import InstanceState, WorkflowInstance

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(Exception):
    """An outside system can't answer now. The job is tried again later; look at the system the message names."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Refused(Exception):
    """An outside system, or a rule of ours, said no for good. The job fails with this problem and isn't tried again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem

    def __reduce__(self) -> tuple[type["Refused"], tuple[Problem]]:
        # An exception is unpickled from its message; one raised in another process must come back with its problem.
        return type(self), (self.problem,)


class Unstorable(Exception):
    """A value can't be held by the store, whoever tries and however often: a number out of its range, a null character
    in JSON. Where it came in a batch, the rest of the batch is unharmed once it is sent without it."""


class Processors(Protocol):
    """CPU-bound work off the event loop."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result from another process. It and its arguments must be picklable.

        Unavailable when the process died on the way; safe to repeat if the function is.
        """
        ...


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key that only the vault can read."""

    master_key_id: str
    """Names the vault's key and its version in full, never "the latest"."""
    ciphertext: bytes = field(repr=False)


class KeyVault(Protocol):
    """Holds the master key, which never leaves it."""

    async def wrap(self, key: bytes) -> WrappedKey:
        """The key, wrapped by the newest master key. Unwrap it back before you rely on it: a vault may wrap with a key
        that it no longer unwraps with. Unavailable when the vault can't answer."""
        ...

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The key. Unavailable when the vault can't answer or doesn't have the master key."""
        ...


class Sealer(Protocol):
    """Seals and opens single cells with the tenant's keys."""

    async def seal(self, cell: Cell, text: str) -> Sealed:
        """The text under the tenant's active key, which is made at the tenant's first seal."""
        ...

    async def open(self, cell: Cell, sealed: Sealed) -> str:
        """The text, or DecryptionFailed; Unavailable when its key can't be fetched now."""
        ...

    def forget_active(self, tenant_id: UUID) -> None:
        """The next seal asks anew which key is active, because the last answer has proved old."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation of a tenant's key, as far as it has come."""

    job_id: UUID
    key_id: int
    new_version: int
    old_version: int | None
    cursor: str
    rows_reencrypted: int
    conflicts: int
    finished: bool


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed cell of a table, and what its row is called."""

    cell: Cell
    sealed: Sealed


class RotationSession(Protocol):
    """The right to rotate one tenant's key, held by this process alone while the session is open."""

    async def unfinished(self) -> Rotation | None: ...

    async def of_job(self, job_id: UUID) -> Rotation | None: ...

    async def begin(self, job_id: UUID, key: WrappedKey) -> Rotation:
        """Makes the key the tenant's active one. When this returns, no row is written under an older key any more."""
        ...

    async def left_over(self, rotation: Rotation) -> int:
        """How many rows are not under the new key."""
        ...

    async def next_rows(self, rotation: Rotation) -> Sequence[SealedRow]:
        """Rows after the cursor that are not under the new key; bounded in number and bytes, empty at the end."""
        ...

    async def replace(self, rotation: Rotation, old: Sequence[SealedRow], new: Sequence[SealedRow]) -> Rotation:
        """Puts each new row in the place of its old one unless somebody rewrote that meanwhile, and moves the cursor, in
        one transaction. Both in the order `next_rows` gave; `new` may lack rows."""
        ...

    async def start_over(self, rotation: Rotation) -> Rotation:
        """Puts the cursor back to the first row."""
        ...

    async def finish(self, rotation: Rotation) -> Rotation:
        """Retires the older keys."""
        ...


class Rotations(Protocol):
    def alone(self, tenant_id: UUID) -> AbstractAsyncContextManager[RotationSession]:
        """Waits a bounded time for another rotation of the tenant; Unavailable when that goes on. A process that dies
        leaves the right at once."""
        ...


class Resealer(Protocol):
    """Moves cells from one key to another."""

    async def open(self, cell: Cell, sealed: Sealed) -> str: ...

    async def seal_with(self, key_id: int, cell: Cell, text: str) -> Sealed: ...


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document as a search index takes it."""

    document_id: str
    version: int
    title: str = field(repr=False)
    body: str = field(repr=False)
    document_type: str
    industry: str | None
    language: str | None
    tags: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What the store made of a document."""

    version: int
    created_at: datetime
    superseded: bool
    """A newer job's content stands, and this one's was dropped."""


class Documents(Protocol):
    """The tenants' documents, their bodies sealed: the truth that every index is built from."""

    async def store(self, tenant_id: UUID, job_id: UUID, document: IndexDocument) -> StoredDocument:
        """Stores the content unless a newer job's stands. Repeating it for the same job changes nothing."""
        ...

    def all_of(self, tenant_id: UUID) -> AsyncIterator[Sequence[IndexedDocument]]:
        """Every document of the tenant, some at a time."""
        ...


class IndexMissing(Unavailable):
    """The tenant has documents but no index. Rebuild it from them."""


class SearchEngine(Protocol):
    """Finds a tenant's documents. One tenant's call never reads or writes another's index."""

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        """Returns once the document can be found, and keeps it across a crash. A version older than the one in the index
        is dropped, so repeating is safe and order doesn't matter. IndexMissing when the tenant has no index yet."""
        ...

    async def search(self, tenant_id: UUID, query: SearchQuery) -> SearchResults:
        """The answer; an empty one for a tenant without documents. IndexMissing when its index is lost."""
        ...

    async def rebuild(
        self, tenant_id: UUID, documents: AsyncIterator[Sequence[IndexedDocument]], *, unless_there: bool = False
    ) -> None:
        """Replaces the tenant's index by one of these documents; the old one answers until then.

        `unless_there` leaves a usable index as it is. Safe to repeat.
        """
        ...


class TextProvider(Protocol):
    """Reads, writes and measures documents. A call is Unavailable when the provider can't answer, and safe to repeat.

    `language` is an ISO 639 code; `und` and unknown ones are allowed and find less.
    """

    reads_as: Provider
    """What a result that was read says of who made it, and how."""
    writes_as: Provider
    measures_as: Provider

    async def language_of(self, text: str) -> Language: ...

    async def facts_in(self, text: str, language: str) -> TextFacts: ...

    async def key_phrases_of(self, text: str, language: str) -> tuple[KeyPhrase, ...]: ...

    async def summary_of(self, text: str, language: str) -> tuple[SummarySentence, ...]: ...

    async def write(self, command: GenerateDocument) -> Writing:
        """Refused when the wording needs a fact that isn't given, or can't be used at all."""
        ...

    async def readability_of(self, text: str, language: str) -> Readability: ...

    async def sentiment_of(self, text: str, language: str) -> Sentiment: ...

    async def risk_in(self, text: str, language: str) -> Risk: ...

    async def comparison_of(self, text: str, reference: str) -> Comparison: ...


class Instances(Protocol):
    """The tenants' workflow instances."""

    async def read(self, tenant_id: UUID, instance_id: UUID) -> WorkflowInstance | None: ...

    async def write(self, tenant_id: UUID, instance_id: UUID, state: InstanceState, *, seen: int) -> bool:
        """Whether it was written. It isn't when the instance has another version than `seen` (0: none yet), so of two
        that advance it at once, one wins."""
        ...

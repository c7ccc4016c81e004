"""Changes of documents, and the lines that a bulk request has of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from infrastructure.elasticsearch.fields import stemmed_language, to_index
from infrastructure.ports import Refused
from infrastructure.ports.search import IndexedDocument
from infrastructure.ports.search_locations import Wanted

MAX_REQUEST_BYTES: Final = 8_000_000
MAX_REQUEST_ITEMS: Final = 1_000


@dataclass(frozen=True)
class Change:
    """A document that is to be found as it is here, or no more."""

    document_id: str
    version: int
    document: IndexedDocument | None = field(default=None, repr=False)
    """None: it was deleted at this version."""

    @property
    def is_deletion(self) -> bool:
        return self.document is None

    @property
    def rank(self) -> tuple[int, bool]:
        """What wins of two changes of one document: the newer version, and of one version its deletion."""
        return self.version, self.is_deletion

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.document_id, self.version, self.is_deletion)

    @property
    def language(self) -> str | None:
        """Whose stems it has."""
        return None if self.document is None else stemmed_language(self.document.language)

    @property
    def external_version(self) -> int:
        """The rank as one number, which Elasticsearch keeps beside the document, so that of the requests for a document that
        overtake each other the last word stands."""
        return 2 * self.version + self.is_deletion

    @cached_property
    def source(self) -> bytes:
        """What is sent. Refused for a document that JSON can't hold, such as one with half of a character."""
        if self.document is None:
            return b""
        try:
            return to_json(to_index(self.document))
        except (PydanticSerializationError, UnicodeError):
            raise Refused("the document has characters that no text has: half of a surrogate pair") from None


@dataclass(frozen=True, slots=True)
class Operation:
    """A change in one physical index."""

    change: Change
    index: str
    yields: bool = False
    """Whether what is there at the same version stays: it was written meanwhile, and this was read before."""

    @property
    def size(self) -> int:
        """Of its lines, in bytes, or a little less."""
        return len(self.change.source) + 200

    def lines(self) -> Iterator[bytes]:
        change = self.change
        aim = {
            "_index": self.index,
            "_id": change.document_id,
            "version": change.external_version,
            "version_type": "external" if self.yields else "external_gte",
        }
        yield to_json({"delete" if change.is_deletion else "index": aim})
        if not change.is_deletion:
            yield change.source


def newest(changes: Sequence[Change]) -> Change:
    """The last word on a document."""
    return max(changes, key=lambda change: change.rank)


def requests(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in their order, as many in a request as fit; one that is too large is alone in its own."""
    request: list[Operation] = []
    size = 0
    for operation in operations:
        if request and (len(request) >= MAX_REQUEST_ITEMS or size + operation.size > MAX_REQUEST_BYTES):
            yield request
            request, size = [], 0
        request.append(operation)
        size += operation.size
    if request:
        yield request

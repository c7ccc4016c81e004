"""One extractor with real child processes for all these tests, and one with limits that are soon reached."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator
from uuid import UUID

import pytest

from infrastructure.extraction.extractor import ChildExtractor
from infrastructure.extraction.limits import MIB, ExtractionLimits
from infrastructure.ports.extraction import Extracted, Extraction, NotExtracted, Reason

TENANT = UUID(int=1)
TIGHT = ExtractionLimits(
    content_bytes=16 * MIB,
    memory_bytes=160 * MIB,
    cpu_seconds=2,
    wall_seconds=60,
    pages=20,
    text_bytes=MIB,
    entry_bytes=20 * MIB,
    unpacked_bytes=30 * MIB,
)

Extract = Callable[..., Extraction]


def of_session(limits: ExtractionLimits | None = None) -> Iterator[Extract]:
    with asyncio.Runner() as runner:
        extractor = ChildExtractor(limits)

        def extract(
            content: bytes | AsyncIterable[bytes], *, file_name: str | None = None, media_type: str | None = None
        ) -> Extraction:
            return runner.run(extractor.extract(TENANT, content, file_name=file_name, media_type=media_type))

        try:
            yield extract
        finally:
            runner.run(extractor.close())


@pytest.fixture(scope="session")
def extract() -> Iterator[Extract]:
    yield from of_session()


@pytest.fixture(scope="session")
def extract_tightly() -> Iterator[Extract]:
    yield from of_session(TIGHT)


def text_of(extraction: Extraction) -> Extracted:
    assert isinstance(extraction, Extracted), extraction
    return extraction


def reason_of(extraction: Extraction) -> Reason:
    assert isinstance(extraction, NotExtracted), extraction.format
    return extraction.reason

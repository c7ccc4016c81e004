"""Forms: read the same however they are cut into chunks, and refused within bounds."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.problems import Refusal
from api.uploads.multipart import MAX_HEADER_BYTES, MultipartReader

BOUNDARY = "b0undary"
Field = tuple[str, str | None, bytes]


def _form(*fields: Field) -> bytes:
    parts = b""
    for name, file_name, content in fields:
        named = f'; filename="{file_name}"' if file_name else ""
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\nContent-Type: text/plain\r\n\r\n'
        )
        parts += head.encode() + content + b"\r\n"
    return parts + f"--{BOUNDARY}--\r\n".encode()


async def _cut(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _read(body: bytes, size: int = 1_000, max_parts: int = 10) -> Sequence[Field]:
    async def read() -> Sequence[Field]:
        form = MultipartReader(_cut(body, size), BOUNDARY, max_parts=max_parts)
        return [
            (part.name, part.file_name, b"".join([chunk async for chunk in form.content()]))
            async for part in form.parts()
        ]

    return asyncio.run(read())


def _refusal(body: bytes, **options: int) -> Refusal:
    with pytest.raises(Refusal) as refused:
        _read(body, **options)
    return refused.value


@given(
    st.lists(st.tuples(st.just("file"), st.sampled_from([None, "a.txt"]), st.binary(max_size=200)), max_size=4),
    st.integers(1, 60),
)
def test_a_form_is_read_the_same_however_it_is_cut(fields: list[Field], size: int) -> None:
    assert _read(_form(*fields), size) == fields


@given(st.integers(1, 40))
def test_a_content_that_looks_like_a_boundary_is_a_content(size: int) -> None:
    content = f"\r\n--{BOUNDARY}x\r\n--{BOUNDARY[:-1]}\r\n-".encode()

    assert _read(_form(("file", None, content)), size) == [("file", None, content)]


def test_a_part_that_is_not_read_is_skipped() -> None:
    async def names() -> list[str]:
        form = MultipartReader(_cut(_form(("a", None, b"x" * 500), ("b", None, b"y")), 50), BOUNDARY, max_parts=5)
        return [part.name async for part in form.parts()]

    assert asyncio.run(names()) == ["a", "b"]


def test_a_form_that_ends_too_early_is_refused() -> None:
    whole = _form(("file", "a.txt", b"content"))

    for end in range(len(whole) - 4):
        assert _refusal(whole[:end]).problem.name == "malformed-upload"


@pytest.mark.parametrize(
    "body",
    [
        b"no form at all",
        f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n--{BOUNDARY}--".encode(),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name=""\r\n\r\nx\r\n--{BOUNDARY}--'.encode(),
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{"n" * 200}"\r\n\r\nx\r\n--{BOUNDARY}--'.encode(),
        f"--{BOUNDARY}\r\nX: {'x' * MAX_HEADER_BYTES}\r\n\r\n".encode(),
        f"--{BOUNDARY}\r\n".encode() + b"X: y\r\n" * 20 + b"\r\n",
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            f"eA==\r\n--{BOUNDARY}--"
        ).encode(),
    ],
    ids=["no form", "no name", "empty name", "long name", "long header", "many headers", "encoded"],
)
def test_a_form_that_is_not_one_is_refused(body: bytes) -> None:
    assert _refusal(body).problem.name == "malformed-upload"


def test_a_form_has_a_limit_on_its_parts() -> None:
    fields: list[Field] = [("tags", None, b"x")] * 11

    assert _refusal(_form(*fields), max_parts=10).problem.status == 413


def test_a_field_has_a_limit_on_its_length() -> None:
    async def read() -> str:
        form = MultipartReader(_cut(_form(("title", None, b"x" * 1_001)), 100), BOUNDARY, max_parts=5)
        (text,) = [await form.text(part.name, 1_000) async for part in form.parts()]
        return text

    with pytest.raises(Refusal) as refused:
        asyncio.run(read())
    assert refused.value.problem.errors[0].pointer == "/title"

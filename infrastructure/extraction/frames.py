"""What travels over the socket between a worker and the child that reads its documents.

To the child: a request, the content in chunks, an empty chunk. Back: an answer with its text. A document may have taken
the child over, so answers are bounded and validated as any input is.
"""

import struct
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from infrastructure.extraction.limits import MIB
from infrastructure.extraction.recognition import Hints
from infrastructure.ports.extraction import Extracted, Extraction, NotExtracted

CHUNK_BYTES: Final = 256 * 1024
MAX_ANSWER_BYTES: Final = 8 * MIB
"""Of an answer without its text: headings, pages and attachments are bounded each."""
MAX_HINT: Final = 1_000

_LENGTH: Final = struct.Struct("!I")
_ANSWER: Final = struct.Struct("!??II")
_extracted: Final = TypeAdapter(Extracted)
_refused: Final = TypeAdapter(NotExtracted)

Read = Callable[[int], bytes]
ReadExactly = Callable[[int], Awaitable[bytes]]


class AnswerInvalid(Exception):
    """The child answered what no child of ours does."""


def request(hints: Hints) -> bytes:
    body = orjson.dumps([_bounded(hints.file_name), _bounded(hints.media_type)])
    return _LENGTH.pack(len(body)) + body


def _bounded(hint: str | None) -> str | None:
    """Its end, where a name has its suffix. A name from a file system may have what isn't Unicode."""
    return None if hint is None else hint[-MAX_HINT:].encode(errors="replace").decode()


def chunk(data: bytes) -> bytes:
    """Of the content; an empty one ends it."""
    return _LENGTH.pack(len(data)) + data


def read_request(read: Read, max_bytes: int) -> tuple[Hints, bytes] | None:
    """The next document; None when there is none any more. EOFError when it breaks off."""
    header = read(_LENGTH.size)
    if not header:
        return None
    hints = Hints(*orjson.loads(_exactly(read, _LENGTH.unpack(header)[0])))
    chunks: list[bytes] = []
    unread = max_bytes
    while length := _LENGTH.unpack(_exactly(read, _LENGTH.size))[0]:
        unread -= length
        if unread < 0:
            raise EOFError("more content than is taken")
        chunks.append(_exactly(read, length))
    return hints, b"".join(chunks)


def _exactly(read: Read, length: int) -> bytes:
    data = read(length)
    if len(data) < length:
        raise EOFError("the request breaks off")
    return data


def answer(extraction: Extraction, *, reusable: bool) -> tuple[bytes, bytes]:
    """(the answer, its text). `reusable` says whether the child reads another document."""
    match extraction:
        case Extracted():
            body = _extracted.dump_json(extraction, exclude={"text"})
            text = extraction.text.encode()
        case NotExtracted():
            body, text = _refused.dump_json(extraction), b""
    return _ANSWER.pack(isinstance(extraction, Extracted), reusable, len(body), len(text)) + body, text


async def read_answer(read_exactly: ReadExactly, max_text_bytes: int) -> tuple[Extraction, bool]:
    """The outcome, and whether the child reads another document. AnswerInvalid when it makes no sense."""
    try:
        extracted, reusable, length, text_length = _ANSWER.unpack(await read_exactly(_ANSWER.size))
        if length > MAX_ANSWER_BYTES or text_length > max_text_bytes:
            raise AnswerInvalid("the answer is larger than any may be")
        body = orjson.loads(await read_exactly(length))
        text = (await read_exactly(text_length)).decode()
        if extracted:
            return _extracted.validate_python(body | {"text": text}), reusable
        return _refused.validate_python(body), reusable
    except (ValidationError, ValueError, TypeError, struct.error) as error:
        raise AnswerInvalid(type(error).__name__) from None

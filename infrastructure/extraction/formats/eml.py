"""The text of an e-mail: who wrote to whom about what, then the body. Attachments are named and not read."""

import re
from collections.abc import Iterator
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

from infrastructure.extraction.decoding import decode
from infrastructure.extraction.formats.html import read_html_text
from infrastructure.extraction.refusal import Refusal
from infrastructure.extraction.text_builder import TextBuilder, one_line
from infrastructure.ports.extraction import Reason

SHOWN = ("From", "To", "Cc", "Date", "Subject")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
MAX_SHOWN = 2_000


def read_eml(content: bytes, text: TextBuilder) -> None:
    end = _HEADER_END.search(content, 0, text.limits.header_bytes + 4)
    if end is None and len(content) > text.limits.header_bytes:
        raise Refusal(Reason.EXPANDS_TOO_FAR, f"Its header has more than {text.limits.header_bytes // 1024:,} KiB.")
    # The older policy: the newer one parses addresses in time that grows with their square, and raises at some.
    message: Message = BytesParser(policy=policy.compat32).parsebytes(content)
    for name in SHOWN:
        if value := _header(message, name):
            text.line(f"{name}: {value}")
    text.title = one_line(_header(message, "Subject")) or None
    text.line("")
    for part in _bodies(message, text):
        _read_body(part, text)


def _header(message: Message, name: str) -> str:
    value = next((str(raw) for one, raw in message.raw_items() if one.lower() == name.lower()), "")[:MAX_SHOWN]
    if not value.isascii():  # Against the rules, and sent all the same: letters that no header may have.
        value, _ = decode(value.encode("utf-8", "surrogateescape"))
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (MessageError, LookupError, ValueError):
        return " ".join(value.split())


def _bodies(message: Message, text: TextBuilder) -> Iterator[Message]:
    """The parts that a reader would be shown, in order. Notes the attachments on the way."""
    unread: list[tuple[int, Message]] = [(0, message)]
    parts = 0
    while unread:
        depth, part = unread.pop()
        parts += 1
        limits = text.limits
        if parts > limits.mime_parts or depth > limits.mime_depth:
            raise Refusal(
                Reason.EXPANDS_TOO_FAR,
                f"At most {limits.mime_parts:,} parts are taken, nested at most {limits.mime_depth} deep.",
            )
        if _is_attachment(part) and part is not message:
            text.attachment(_name_of(part), part.get_content_type())
        elif part.is_multipart():
            unread.extend((depth + 1, one) for one in reversed(_shown_parts(part)))
        elif part.get_content_type() in ("text/plain", "text/html"):
            yield part
        else:
            text.attachment(_name_of(part), part.get_content_type())


def _is_attachment(part: Message) -> bool:
    """An e-mail inside an e-mail is one too."""
    inside = part.get_content_maintype() == "message"
    return inside or part.get_content_disposition() == "attachment" or part.get_filename() is not None


def _name_of(part: Message) -> str:
    name = part.get_filename()
    if name:
        try:
            return str(make_header(decode_header(name)))
        except (MessageError, LookupError, ValueError):
            return name
    inside = part.get_payload()
    if isinstance(inside, list) and inside and isinstance(inside[0], Message):
        return _header(inside[0], "Subject") or part.get_content_type()
    return part.get_content_type()


def _shown_parts(part: Message) -> list[Message]:
    """All of them; of alternatives the plain one, and what comes with the page if there is no plain one."""
    payload = part.get_payload()
    parts = [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
    if part.get_content_subtype() != "alternative":
        return parts
    plain = [one for one in parts if one.get_content_type() == "text/plain"]
    return plain[:1] or parts[-1:]


def _read_body(part: Message, text: TextBuilder) -> None:
    payload = part.get_payload(decode=True)
    found, encoding = decode(payload if isinstance(payload, bytes) else b"", declared=part.get_content_charset())
    text.encoding = text.encoding or encoding
    if part.get_content_type() == "text/html":
        title = text.title
        read_html_text(found, text)
        text.title = title
    else:
        text.line(found.rstrip())

"""Reads XML that nobody vouches for: no entities, no DTD, no network, bounded depth."""

from collections.abc import Iterator, Sequence
from typing import IO, Any

from lxml import etree

from infrastructure.extraction.package import Package
from infrastructure.extraction.refusal import Refusal, damaged
from infrastructure.ports.extraction import Reason

Event = tuple[str, Any]
"""(`start` or `end`, the element). lxml ships no types."""


def events(stream: IO[bytes], tags: Sequence[str]) -> Iterator[Event]:
    """The starts and ends of elements with one of the tags, as they are read. Clear what was read, or memory grows."""
    # huge_tree stays off: libxml2 then bounds depth, names and the growth of entities.
    parser = etree.iterparse(
        stream,
        events=("start", "end"),
        tag=tags,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    is_first = True
    try:
        for event in parser:
            if is_first:
                _refuse_dtd(event[1])
                is_first = False
            yield event
    except etree.XMLSyntaxError as error:
        raise _refusal_of(error) from None


def tree(content: bytes) -> Any:
    """The root of a small part, such as a list of relations."""
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise _refusal_of(error) from None
    if root is None:
        raise damaged("A part of it is empty.")
    _refuse_dtd(root)
    return root


def tree_if_there(package: Package, name: str) -> Any | None:
    content = package.read_if_there(name)
    return None if content is None else tree(content)


def _refuse_dtd(element: Any) -> None:
    """These formats have none. One that declares entities would make a few lines into gigabytes."""
    document = element.getroottree().docinfo
    if document.internalDTD is not None or document.externalDTD is not None:
        raise declares_dtd()


def declares_dtd() -> Refusal:
    return Refusal(Reason.EXPANDS_TOO_FAR, "Its XML declares a DTD, which no document of this format needs.")


def _refusal_of(error: etree.XMLSyntaxError) -> Refusal:
    message = (error.msg or "").lower()
    if any(word in message for word in ("depth", "amplification", "entity", "huge", "too long", "too large", "limit")):
        return Refusal(Reason.EXPANDS_TOO_FAR, "Its XML is nested too deeply, or grows too far.")
    return damaged("Its XML can't be read: save it again with the program that made it.")

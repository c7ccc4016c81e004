"""What a prompt asks, told apart from the documents that it brings along."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from infrastructure.offline.answering.documents import GivenDocument, parts_of

_NOTE = re.compile(r"^\([\d,]{1,20} characters at the end of this document are left out\.\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    documents: tuple[GivenDocument, ...]
    """Empty when the prompt is all there is to read."""
    instruction: str = field(repr=False)
    """The last passage beside the documents that says anything."""

    @property
    def read(self) -> str:
        """What may be read for an answer: the documents and nothing else, if there are any."""
        return "\n\n".join(one.text for one in self.documents) if self.documents else self.instruction


def asked_in(passages: Sequence[str]) -> Asked:
    """Of the passages of one message."""
    documents: list[GivenDocument] = []
    beside: list[str] = []
    for passage in passages:
        parts = list(parts_of(passage))
        documents += [one for one in parts if isinstance(one, GivenDocument)]
        beside.append("\n".join(one for one in parts if isinstance(one, str)))
    said = [_NOTE.sub("", one).strip() for one in beside] if documents else beside
    return Asked(tuple(documents), next((one for one in reversed(said) if one.strip()), ""))

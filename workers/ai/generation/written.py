"""What was written, before it is put together."""

from dataclasses import dataclass, field

from events.ai import GeneratedSection, Provider
from events.ai.provenance import Provenance
from schemas.ai import Tone


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    sections: tuple[GeneratedSection, ...] = field(repr=False)
    provider: Provider
    tone: Tone | None
    """None when the wording has one tone only."""
    unused_facts: tuple[str, ...]
    provenance: Provenance = field(default_factory=Provenance)
    unread_characters: int = 0
    """Of the inputs, that no call had room for."""

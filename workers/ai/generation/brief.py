"""What all calls for one document have in common, and how it is put to a model.

The parts come in the order in which they stay the same: the rules, the prompt's own, the documents, the outline; then what
differs from section to section. A provider's prompt cache keeps what the calls begin with.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from infrastructure.ports.ai.request import Message, ModelRequest, Passage, Role
from infrastructure.ports.ai.sizes import MAX_SECTIONS, PLAN_OUTPUT_TOKENS, SECTION_OUTPUT_TOKENS
from schemas.ai import Tone, WritingLanguage
from schemas.ai.prompts import RenderedPrompt, RenderedSection
from workers.ai.documents_in_prompt import DATA_NOT_INSTRUCTIONS, DocumentsInPrompt, without_marks

MAX_HEADING_CHARACTERS: Final = 300
MAX_INSTRUCTION_CHARACTERS: Final = 4_000
SO_FAR_CHARACTERS: Final = 6_000
"""Of what a section has already when it is gone on with: its end."""
TYPICAL_PLAN_CHARACTERS: Final = 6_000
OWN_BYTES: Final = 2_000
"""Of what this file says itself."""
TOKENS_FOR_A_WORD: Final = 2
"""Rather too many than too few: German needs more than English."""
TAIL_CHARACTERS: Final = 1_500
"""Of the section before, so that the next one goes on from there."""
PLAN_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "sections": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"heading": {"type": "string"}, "instruction": {"type": "string"}},
                "required": ["heading", "instruction"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["sections"],
    "additionalProperties": False,
}
_LANGUAGES = {WritingLanguage.ENGLISH: "English", WritingLanguage.GERMAN: "German"}
_TONES = {Tone.FORMAL: "Keep a formal tone.", Tone.PLAIN: "Use plain words and short sentences."}


@dataclass(frozen=True, slots=True)
class Brief:
    title: str = field(repr=False)
    language: WritingLanguage
    tone: Tone
    prompt: RenderedPrompt = field(repr=False)
    documents: DocumentsInPrompt

    @property
    def digest(self) -> str:
        """Of all that decides what is written, but for the models."""
        said = [self.title, self.language, self.tone, self.prompt.model_dump_json(), *self.documents.digests]
        return sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """Which section is to be written."""

    number: int
    outline: Sequence[RenderedSection] = field(repr=False)
    before: str = field(default="", repr=False)
    """The text of the section before it."""
    so_far: str = field(default="", repr=False)
    """What is written of it already, by a call that was cut at its output limit."""

    @property
    def section(self) -> RenderedSection:
        return self.outline[self.number]


def plan_request(brief: Brief, *, wrong: str = "") -> ModelRequest:
    """Asks for the outline; again, with what was wrong about the last answer."""
    asked = (
        f"Plan the sections of the document {_quoted(brief.title)}: at most {MAX_SECTIONS}, in order, each with its heading and "
        f"with an instruction to whoever writes it.\n\n{brief.prompt.outline}"
    )
    again = f"\n\nYour last plan couldn't be used: {wrong}" if wrong else ""
    return _request(brief, (Passage(asked + again),), PLAN_OUTPUT_TOKENS, schema=PLAN_SCHEMA)


def section_request(brief: Brief, place: Place) -> ModelRequest:
    """Asks for the text of one section, or for the rest of it."""
    passages = [Passage(_outline(brief, place.outline), cache_after=True)]
    if place.before:
        passages.append(Passage(f"The section before ends:\n{without_marks(place.before[-TAIL_CHARACTERS:])}\n\n"))
    if place.so_far:
        passages.append(
            Passage(
                f"Of this section there is already, at its end:\n{without_marks(place.so_far[-SO_FAR_CHARACTERS:])}\n\nWrite only what follows it.\n\n"
            )
        )
    asked = without_marks(f"{place.section.heading}\n\n{place.section.instruction}")  # A model may have planned them.
    return _request(brief, (*passages, Passage(asked)), brief.prompt.max_output_tokens or SECTION_OUTPUT_TOKENS)


def bytes_beside_documents(prompt: RenderedPrompt) -> int:
    """Of the longest call's texts, about: characters of models are counted with two bytes each."""
    if prompt.sections:
        asked = sum(len(one.heading.encode(errors="replace")) for one in prompt.sections)
        asked += max(len(one.instruction.encode(errors="replace")) for one in prompt.sections)
    else:
        asked = len((prompt.outline or "").encode(errors="replace")) + 2 * TYPICAL_PLAN_CHARACTERS
    so_far = 0 if prompt.max_output_tokens else 2 * SO_FAR_CHARACTERS
    return len(prompt.system.encode(errors="replace")) + asked + 2 * TAIL_CHARACTERS + so_far + OWN_BYTES


def _request(
    brief: Brief, passages: tuple[Passage, ...], max_tokens: int, *, schema: dict[str, Any] | None = None
) -> ModelRequest:
    documents = (Passage(f"{brief.documents.text}\n\n", cache_after=True),) if brief.documents.text else ()
    return ModelRequest(
        model="",
        system=(Passage(_rules(brief)), Passage(brief.prompt.system))
        if brief.prompt.system
        else (Passage(_rules(brief)),),
        messages=(Message(Role.USER, (*documents, *passages)),),
        max_output_tokens=max_tokens,
        temperature=brief.prompt.temperature,
        schema=schema,
    )


def _rules(brief: Brief) -> str:
    rules = (
        "You write one document, a section at a time. Write what the last part of the message asks for and nothing else: no "
        "remarks about it, and no heading, which stands above your text already. Write Markdown. State only what the documents "
        f"and the request say; leave out what you don't know. Write in {_LANGUAGES[brief.language]}. {_TONES[brief.tone]}"
    )
    if (limit := brief.prompt.max_output_tokens) is not None:
        # Models don't know where they are cut.
        rules += f" Keep each section below {max(limit // TOKENS_FOR_A_WORD, 1)} words."
    return f"{rules} {DATA_NOT_INSTRUCTIONS}\n\n"


def _outline(brief: Brief, outline: Sequence[RenderedSection]) -> str:
    headings = "\n".join(f"{number}. {without_marks(one.heading)}" for number, one in enumerate(outline, start=1))
    return f"The document {_quoted(brief.title)} has these sections:\n{headings}\n\n"


def _quoted(title: str) -> str:
    return f'"{" ".join(title.split())}"'

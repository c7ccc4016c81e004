"""Has a model write a document from a prompt: plan, then section after section."""

from dataclasses import replace

from events.ai import Method, Provider
from events.ai.provenance import Provenance
from infrastructure.offline.model import NAME as OFFLINE
from infrastructure.ports.ai.ledger import Ledger
from infrastructure.ports.ai.purposes import Purpose
from kinds.run import Run
from schemas.ai import GenerateDocument, PromptRef
from schemas.ai.generation import RESERVED_FACTS
from schemas.ai.prompts import RenderedPrompt
from schemas.model import FreeJson
from workers.ai.generation.brief import Brief
from workers.ai.generation.calls import Calls
from workers.ai.generation.finished import finished_by
from workers.ai.generation.inputs import documents_read, room_for_documents
from workers.ai.generation.planning import planned
from workers.ai.generation.sections import Section, as_generated, written_sections
from workers.ai.generation.written import WrittenDocument
from workers.ai.provenance import with_attempts
from workers.ai.resources import Resources


async def written_from_prompt(
    command: GenerateDocument, ref: PromptRef, run: Run, resources: Resources
) -> WrittenDocument:
    """The written sections. Raises Refused when the prompt can't be rendered with these facts, an input isn't there any more,
    or no model can or may write it."""
    run.progress(0.01, "reading the prompt and its inputs")
    prompt, unused = await resources.prompts.rendered(run.tenant_id, ref, _variables(command), job_id=run.job_id)
    named = command.models or prompt.models
    resources.leave_processor(named, Purpose.SECTION)
    await resources.prompts.exposed(run.tenant_id, run.job_id, ref)
    room = room_for_documents(resources.candidates(named, Purpose.SECTION), resources.registry, prompt)
    documents = await documents_read(command.inputs, prompt, room, run.tenant_id, resources.documents)
    calls = Calls(command, run, Brief(command.title, command.language, command.tone, prompt, documents), resources.ask)
    finished = await finished_by(run, calls.brief.digest, resources.checkpoints)
    outline = await planned(calls, finished)
    sections = await written_sections(replace(calls, sections=len(outline)), outline, finished)
    return WrittenDocument(
        sections=as_generated(sections),
        provider=_provider(sections),
        tone=command.tone,
        unused_facts=tuple(sorted(set(unused) - RESERVED_FACTS)),
        provenance=await _provenance(command, prompt, sections, run, resources.ledger),
        unread_characters=documents.left_out_characters,
    )


def _variables(command: GenerateDocument) -> dict[str, FreeJson]:
    """The facts that are given, and what the command says in fields of its own."""
    given: dict[str, FreeJson] = {
        name: value
        for name, value in command.facts.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }
    return given | {"title": command.title, "language": command.language.value, "tone": command.tone.value}


def _provider(sections: tuple[Section, ...]) -> Provider:
    """Who wrote it: the first section's provider, and a model if any section is one's."""
    models = [one.provider for one in sections if one.provider != OFFLINE]
    return Provider(name=models[0], method=Method.MODEL) if models else Provider(name=OFFLINE, method=Method.EXTRACTIVE)


async def _provenance(
    command: GenerateDocument, prompt: RenderedPrompt, sections: tuple[Section, ...], run: Run, ledger: Ledger
) -> Provenance:
    known = Provenance(
        prompt=prompt.name,
        prompt_version=prompt.version,
        prompt_label=None if command.prompt is None else command.prompt.label,
        models=tuple(dict.fromkeys(one.model for one in sections)),
    )
    return await with_attempts(known, ledger, run.tenant_id, run.job_id)

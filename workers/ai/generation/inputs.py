"""The documents that a prompt's sections are written from."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports import Refused
from infrastructure.ports.ai.sizes import MAX_INPUT_TOKENS
from infrastructure.ports.documents import DocumentStore, read_text
from schemas.ai import MAX_READ_CHARACTERS
from schemas.ai.prompts import RenderedPrompt
from schemas.documents import DocumentRef
from workers.ai.documents_in_prompt import BYTES_A_TOKEN, DocumentsInPrompt, PromptDocument, documents_in_prompt
from workers.ai.generation.brief import bytes_beside_documents
from workers.ai.generation.problems import no_room_for_inputs

MIN_ROOM_TOKENS: Final = 500
MAX_OF_A_CONTEXT: Final = 0.9
"""Providers count tokens in their own way."""


async def documents_read(
    refs: Sequence[DocumentRef], prompt: RenderedPrompt, max_tokens: int, tenant_id: UUID, store: DocumentStore
) -> DocumentsInPrompt:
    """The documents, cut to so many tokens. Raises Refused when one was deleted or has no text, and when there is next to no
    room for them."""
    if refs and max_tokens < MIN_ROOM_TOKENS:
        raise Refused(no_room_for_inputs(prompt.name))
    documents, unread = [], 0
    for ref in refs:
        details, text = await read_text(store, tenant_id, ref)
        documents.append(PromptDocument(details.document_id, details.version, text[:MAX_READ_CHARACTERS]))
        unread += max(len(text) - MAX_READ_CHARACTERS, 0)
    made = await asyncio.to_thread(documents_in_prompt, documents, max_tokens=max_tokens)
    return replace(made, left_out_characters=made.left_out_characters + unread)


def room_for_documents(models: Sequence[str], registry: ModelRegistry, prompt: RenderedPrompt) -> int:
    """How many tokens of documents every one of the models takes beside what else is asked."""
    known = [registry.models[name] for name in models if name in registry.models]
    smallest = min((one.max_input_tokens for one in known), default=MAX_INPUT_TOKENS)
    beside = bytes_beside_documents(prompt) // BYTES_A_TOKEN
    return max(min(int(smallest * MAX_OF_A_CONTEXT) - beside, MAX_INPUT_TOKENS), 0)

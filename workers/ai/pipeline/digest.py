"""What a call asks, as one hash: equal only for calls that any model would be asked with the very same words."""

import hashlib
import json
from typing import Any

from workers.ai.pipeline.call import ModelCall

FORM = "bucatini answer 1"


def digest_of(call: ModelCall) -> bytes:
    """SHA-256 over the tenant, the prompt's version, the models in order, all parameters, the schema, the texts and the
    digests of the documents that they quote. Nothing can be told from it, and nobody else's call has it."""
    hashed = hashlib.sha256()
    request, prompt = call.request, call.prompt

    def add(*parts: object) -> None:
        for part in parts:
            encoded = str(part).encode(errors="surrogatepass")
            hashed.update(len(encoded).to_bytes(8))
            hashed.update(encoded)

    add(FORM, call.tenant_id, None if prompt is None else (prompt.name, prompt.version))
    add(len(call.models), *call.models, len(call.input_digests), *call.input_digests)
    add(request.max_output_tokens, request.temperature, len(request.stop), *request.stop, _canonical(request.schema))
    add(len(request.system), *(one.text for one in request.system))
    for message in request.messages:
        add(message.role, len(message.passages), *(one.text for one in message.passages))
    return hashed.digest()


def place_of(call: ModelCall) -> str:
    """Names the call among those of its job, the same in each of its runs. Calls that ask the very same share one place, unless
    another answer is wanted than the one before."""
    digest = digest_of(call) if call.question is None else call.question.digest
    if not call.tried:
        return digest.hex()
    return hashlib.sha256(digest + f"{call.job_id} {call.section} {call.tried}".encode()).hexdigest()


def _canonical(schema: Any) -> str:
    # Texts are hashed as they are. A schema is small, and means the same in any order of its keys.
    return "" if schema is None else json.dumps(schema, sort_keys=True, separators=(",", ":"))

"""Shows what a prompt would say, without calling a model."""

import asyncio

from api.endpoint import Call, Empty
from api.http import problems
from api.http.responses import UNSHARED, Answer, json_answer
from api.prompt_references import pin
from api.routes.ai.prompts.reads import existing
from infrastructure.ports import Refused
from infrastructure.postgres.prompts.pinning import NotPinned, reason_of
from infrastructure.postgres.prompts.versions import WholeVersion, whole_version
from schemas.ai.prompts import PromptRef, RenderedPrompt, RenderRequest
from schemas.problems import FieldProblem


async def render(call: Call[RenderRequest, Empty]) -> Answer:
    prompt, wanted = await existing(call), call.body
    ref = PromptRef(
        name=prompt.name,
        version=wanted.version,
        label=wanted.label,
        industry=wanted.industry,
        subject=wanted.subject,
    )
    whole = await _pinned(call, ref)
    # In a thread, since a large template takes a second.
    async with call.ingress.templates:
        rendered = await asyncio.to_thread(_rendered, whole, wanted)
    return json_answer(200, rendered, UNSHARED)


async def _pinned(call: Call[RenderRequest, Empty], ref: PromptRef) -> WholeVersion:
    """Raises a Refusal (422) when there is no such version, or the label points nowhere."""
    pins = await pin(call, [ref])
    (pinned,) = pins.refs
    if isinstance(pinned, NotPinned):
        pointer, detail = reason_of(pinned)
        raise problems.invalid_fields([FieldProblem(pointer=pointer, detail=detail)])
    assert pinned.version is not None
    whole = await whole_version(call.ingress.sealer, call.tenant_id, pins.found, pinned.name, pinned.version)
    assert whole is not None, "it was found when it was pinned"
    return whole


def _rendered(whole: WholeVersion, wanted: RenderRequest) -> RenderedPrompt:
    # Liquid is imported by whoever first needs it.
    from infrastructure.prompts.rendering import rendered

    try:
        return rendered(whole.version, whole.content, wanted.variables, place="/variables").prompt
    except Refused as refused:
        raise problems.Refusal(refused.problem) from None

"""Lists prompts and shows them."""

from typing import Any
from uuid import UUID

from api.endpoint import Call, Empty
from api.http import problems
from api.http.conditional import unless_known
from api.http.pagination import PageQuery
from api.http.responses import UNSHARED, Answer, json_answer
from api.routes.ai.prompts.addressing import WHAT, NamePageQuery, ToVersion, found_version, number_in
from infrastructure.postgres.prompts import listing, versions
from infrastructure.prompts.differences import changes_between
from schemas.ai.prompt_list import Prompt, PromptPage
from schemas.ai.prompts import PromptDiff, PromptVersions

NEWEST = 2**31 - 1


async def list_prompts(call: Call[Empty, NamePageQuery]) -> Answer:
    query, cursors, scope = call.query, call.ingress.cursors, "prompts"
    after = "" if query.cursor is None else cursors.read_bytes(call.tenant_id, scope, query.cursor).decode()
    found = await call.db.run(listing.prompts, after=after, limit=query.limit + 1)
    page, more = tuple(found[: query.limit]), len(found) > query.limit
    following = cursors.sign_bytes(call.tenant_id, scope, page[-1].name.encode()) if more else None
    answer = json_answer(200, PromptPage(prompts=page, next_cursor=following), UNSHARED)
    return unless_known(answer, call.headers.get("if-none-match"))


async def show_prompt(call: Call[Empty, Empty]) -> Answer:
    prompt = await existing(call)
    return json_answer(200, prompt, UNSHARED, (b"etag", etag_of(prompt).encode()))


async def existing(call: Call[Any, Any]) -> Prompt:
    """The prompt in the path. Raises a Refusal (404) when it isn't there."""
    prompt = await call.db.run(listing.prompt, call.path["name"])
    if prompt is None:
        raise problems.not_found(WHAT)
    return prompt


def etag_of(prompt: Prompt) -> str:
    """Another one after each version."""
    return f'"{prompt.newest_version}"'


async def list_versions(call: Call[Empty, PageQuery]) -> Answer:
    prompt, query = await existing(call), call.query
    cursors, scope = call.ingress.cursors, f"versions of prompt {prompt.name}"
    before = NEWEST if query.cursor is None else cursors.read(call.tenant_id, scope, query.cursor).int
    found = await call.db.run(listing.version_infos, prompt.name, before=before, limit=query.limit + 1)
    page, more = tuple(found[: query.limit]), len(found) > query.limit
    following = cursors.sign(call.tenant_id, scope, UUID(int=page[-1].version)) if more else None
    answer = json_answer(200, PromptVersions(versions=page, next_cursor=following), UNSHARED)
    return unless_known(answer, call.headers.get("if-none-match"))


async def show_version(call: Call[Empty, Empty]) -> Answer:
    version = await found_version(call, call.path["name"], number_in(call))
    return unless_known(json_answer(200, version, UNSHARED), call.headers.get("if-none-match"))


async def show_diff(call: Call[Empty, ToVersion]) -> Answer:
    name, before = call.path["name"], number_in(call)
    after = call.query.to or before + 1
    found = await call.db.run(versions.find, [(name, before), (name, after)])
    sealer = call.ingress.sealer
    older = await versions.whole_version(sealer, call.tenant_id, found, name, before)
    newer = await versions.whole_version(sealer, call.tenant_id, found, name, after)
    if older is None or newer is None:
        raise problems.not_found("version")
    changes = changes_between(older.content, newer.content)
    return json_answer(200, PromptDiff(name=name, before=before, after=after, changes=changes), UNSHARED)

"""Shows where labels of prompts point, and moves them."""

from datetime import UTC, datetime, timedelta

from api.endpoint import Call, Empty
from api.http import problems, prompt_problems
from api.http.responses import UNSHARED, Answer, json_answer
from api.routes.ai.prompts.addressing import WHAT, HistoryQuery, doer, label_in, precondition_of
from api.routes.ai.prompts.reads import existing
from infrastructure.postgres.prompts import exposures, labels
from infrastructure.postgres.prompts.additions import NoSuchPrompt
from infrastructure.postgres.prompts.golden_tests import Verdict
from infrastructure.postgres.prompts.labels import MAX_LABELS
from infrastructure.postgres.prompts.moves import (
    Moved,
    MovedMeanwhile,
    NoSuchVersion,
    OfSeveralIndustries,
    TooManyLabels,
    Untested,
    move_label,
)
from infrastructure.postgres.prompts.rollbacks import NowhereBefore, roll_back_label
from schemas.ai.labels import LabelMove, LabelRollback, PromptExposures, PromptLabelHistory, PromptLabels
from schemas.model import Model
from schemas.problems import FieldProblem
from schemas.timestamps import Moment

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
TIME_BYTES = 8
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
NAMED_TESTS = 5
DEFAULT_SPAN, LONGEST_SPAN = timedelta(days=30), timedelta(days=365)


class ExposureQuery(Model):
    since: Moment | None = None
    """30 days ago if it isn't given; a year ago at the most."""


async def show_label(call: Call[Empty, Empty]) -> Answer:
    prompt, label = await existing(call), label_in(call)
    states = tuple(one for one in prompt.labels if one.label == label)
    if not states:
        raise problems.not_found("label")
    tag = f'"{labels.edition(states)}"'.encode()
    return json_answer(200, PromptLabels(states=states), UNSHARED, (b"etag", tag))


async def show_history(call: Call[Empty, HistoryQuery]) -> Answer:
    prompt, label, query = await existing(call), label_in(call), call.query
    cursors, scope = call.ingress.cursors, f"moves of {prompt.name} {label} {query.industry}"
    before = LATEST if query.cursor is None else _moment(cursors.read_bytes(call.tenant_id, scope, query.cursor))
    found = await call.db.run(
        labels.history, prompt.name, label, industry=query.industry, before=before, limit=query.limit + 1
    )
    page, following = tuple(found[: query.limit]), None
    if len(found) > query.limit and (last := page[-1].moved_at) is not None:
        following = cursors.sign_bytes(call.tenant_id, scope, _packed(last))
    return json_answer(200, PromptLabelHistory(moves=page, next_cursor=following), UNSHARED)


def _packed(moment: datetime) -> bytes:
    return ((moment - EPOCH) // MICROSECOND).to_bytes(TIME_BYTES)


def _moment(packed: bytes) -> datetime:
    return EPOCH + int.from_bytes(packed) * MICROSECOND


async def move(call: Call[LabelMove, Empty]) -> Answer:
    """200 with where it points now. Repeating it is safe: it isn't moved twice."""
    name, label = call.path["name"], label_in(call)
    outcome = await call.db.run(move_label, name, label, call.body, by=doer(call), precondition=precondition_of(call))
    match outcome:
        case Moved(state, edition):
            return json_answer(200, state, (b"etag", f'"{edition}"'.encode()))
        case NoSuchPrompt():
            raise problems.not_found(WHAT)
        case MovedMeanwhile(edition):
            raise prompt_problems.prompt_changed(f'"{edition}"')
        case NoSuchVersion(places):
            raise problems.invalid_fields(
                [
                    FieldProblem(pointer=f"/variants/{place}/version", detail="the prompt has no such version")
                    for place in places
                ]
            )
        case OfSeveralIndustries():
            detail = "must all be base versions, or all overlays for one industry"
            raise problems.invalid_fields([FieldProblem(pointer="/variants", detail=detail)])
        case TooManyLabels():
            raise prompt_problems.too_many_of_a_prompt("labels", MAX_LABELS)
        case Untested(reasons):
            raise prompt_problems.tests_not_passed(
                [
                    FieldProblem(pointer=f"/variants/{place}/version", detail=_why(verdict))
                    for place, verdict in reasons.items()
                ]
            )


async def roll_back(call: Call[LabelRollback, Empty]) -> Answer:
    """200 with where it points now. Repeating it goes further back."""
    name, label = call.path["name"], label_in(call)
    outcome = await call.db.run(
        roll_back_label, name, label, call.body, by=doer(call), precondition=precondition_of(call)
    )
    match outcome:
        case Moved(state, edition):
            return json_answer(200, state, (b"etag", f'"{edition}"'.encode()))
        case NoSuchPrompt():
            raise problems.not_found(WHAT)
        case MovedMeanwhile(edition):
            raise prompt_problems.prompt_changed(f'"{edition}"')
        case NowhereBefore():
            raise prompt_problems.nowhere_before(label)


def _why(verdict: Verdict | None) -> str:
    if verdict is None:
        return "hasn't been tested with the tests as they are now"
    named = ", ".join(verdict.failed[:NAMED_TESTS])
    more = len(verdict.failed) - NAMED_TESTS
    return f"doesn't pass {named}{f' and {more} more' if more > 0 else ''}"


async def show_exposures(call: Call[Empty, ExposureQuery]) -> Answer:
    prompt, now = await existing(call), call.ingress.clock.now()
    since = max(call.query.since or now - DEFAULT_SPAN, now - LONGEST_SPAN)
    found = await call.db.run(exposures.exposures, prompt.name, since=since)
    return json_answer(200, PromptExposures(exposures=tuple(found)), UNSHARED)

"""Shows and sets the tenant's synonyms."""

import logging

from api.endpoint import Call, Empty
from api.http.entity_tags import tags_in
from api.http.problems import Refusal
from api.http.responses import UNSHARED, Answer, json_answer
from infrastructure.postgres.documents.etags import Precondition
from infrastructure.postgres.search import synonyms
from infrastructure.postgres.search.synonyms import ChangedMeanwhile
from schemas.problems import Problem
from schemas.search import StoredSynonyms, Synonyms

logger = logging.getLogger(__name__)


async def show_synonyms(call: Call[Empty, Empty]) -> Answer:
    return _answer(await call.db.run(synonyms.synonyms_of))


async def set_synonyms(call: Call[Synonyms, Empty]) -> Answer:
    """200 with what is set now. Repeating it is safe."""
    by = call.principal.name
    precondition = Precondition(tags_in("If-Match", call.headers.get("if-match")))
    outcome = await call.db.run(synonyms.set_synonyms, call.body, by=by, precondition=precondition)
    match outcome:
        case ChangedMeanwhile(edition):
            raise _changed_meanwhile(f'"{edition}"')
        case StoredSynonyms():
            logger.info("tenant %s: %s set its synonyms to version %d", call.tenant_id, by, outcome.version)
            return _answer(outcome)


def _answer(stored: StoredSynonyms) -> Answer:
    return json_answer(200, stored, UNSHARED, (b"etag", f'"{synonyms.edition(stored)}"'.encode()))


def _changed_meanwhile(current: str) -> Refusal:
    detail = f"They are {current} now, so If-Match doesn't hold. Nothing was changed; read them again and decide anew."
    problem = Problem.of("precondition-failed", "The synonyms were changed meanwhile", 412, detail)
    return Refusal(problem, (b"etag", current.encode()))

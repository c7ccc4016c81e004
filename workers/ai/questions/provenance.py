"""Who answered, and what was called for it."""

from collections.abc import Sequence

from events.ai import Method, Provenance, Provider
from infrastructure.offline.model import NAME as OFFLINE
from kinds.run import Run
from workers.ai.provenance import with_attempts
from workers.ai.questions.in_parts import Made
from workers.ai.resources import Resources


def provider_of(made_by: Sequence[Made], *, rules: Method) -> Provider:
    """What a result says of who made it: `rules` where no model had a part in it."""
    names = list(dict.fromkeys(one.provider for one in made_by)) or [OFFLINE]
    return Provider(name=", ".join(names), method=rules if names == [OFFLINE] else Method.MODEL)


async def provenance_of(resources: Resources, run: Run, made_by: Sequence[Made]) -> Provenance:
    """With all that the job's calls cost so far; nothing where none was needed."""
    if not made_by:
        return Provenance()
    known = Provenance(models=tuple(dict.fromkeys(one.model for one in made_by)))
    return await with_attempts(known, resources.ledger, run.tenant_id, run.job_id)

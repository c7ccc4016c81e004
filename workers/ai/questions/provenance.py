"""Who answered, and what was called for it."""

from collections.abc import Sequence

from events.ai import Method, Provenance, Provider
from kinds.run import Run
from workers.ai.questions.in_parts import Made
from workers.ai.resources import Resources

OFFLINE = "offline"


def provider_of(made_by: Sequence[Made], *, rules: Method) -> Provider:
    """What a result says of who made it: `rules` where no model had a part in it."""
    names = list(dict.fromkeys(one.provider for one in made_by)) or [OFFLINE]
    return Provider(name=", ".join(names), method=rules if names == [OFFLINE] else Method.MODEL)


async def provenance_of(resources: Resources, run: Run, made_by: Sequence[Made]) -> Provenance:
    return Provenance(models=tuple(dict.fromkeys(one.model for one in made_by)))

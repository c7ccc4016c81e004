"""How often a search that people repeat is answered from the cache, while documents come in between."""

from itertools import count

from tests.benchmarks.searching.contest import TENANT, Contest
from tests.benchmarks.searching.corpus import documents
from tests.benchmarks.searching.questions import repeated
from tests.integration.search.flow import Watched


async def share_of_hits(contest: Contest, seed: object, searches: int, between_writes: int) -> float:
    """Of all searches of the mix, in percent. Every write makes all that was kept of its tenant old."""
    watched = Watched()
    answering = contest.answering(watched)
    written = (documents(f"between-{seed}-{between_writes}-{number}", 1)[0] for number in count())
    for number, query in enumerate(repeated(seed, searches), 1):
        await answering.answer(TENANT, query)
        if number % between_writes == 0:
            document = next(written)
            await contest.engine.index(TENANT, document)
            await contest.engine.delete(TENANT, document.document_id, document.version)
    looked = sum(watched.lookups.values())
    assert looked == searches, f"{looked} of {searches} searches looked into the cache"
    return 100 * watched.lookups["hit"] / looked

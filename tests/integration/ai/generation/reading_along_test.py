"""A document is read while a model writes it, over the real API, with a provider that fails on the way."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from producers.client import Bucatini, Reset
from schemas.ai import GenerateDocument
from tests.integration.ai.generation.writers import FACTS, Writers, report
from tests.integration.jobs.novel import monitored
from tests.integration.serving import World
from tests.waiting import GUARD_SECONDS, wait_until


@pytest.fixture
def client(writers: Writers) -> Iterator[Bucatini]:
    with World(writers.system.settings) as world:
        yield Bucatini(world.url, world.another_key(writers.system.tenant_id).key)


def test_a_document_is_read_as_it_is_written_and_complete_in_the_end(writers: Writers, client: Bucatini) -> None:
    writers.start()
    writers.simulator.pace(token_seconds=0.01, output_tokens=40)
    wait_until(lambda: _live(writers, client), "pieces come before their section's end")
    (job_id,) = writers.system.submit(_another_report())

    pieces = list(client.jobs.text(job_id))

    assert len(pieces) > 2 * 5
    assert "".join(pieces) == "\n\n".join(one["text"] for one in writers.recorded(job_id))


def test_a_section_whose_model_fails_is_marked_and_its_text_never_spliced(writers: Writers, client: Bucatini) -> None:
    writers.start("gpt-6-luna", "claude-sonnet-5-5")
    writers.simulator.pace(token_seconds=0.01, output_tokens=40)
    wait_until(lambda: _live(writers, client), "pieces come before their section's end")
    writers.simulator.fault(writers.key, "clean_cut", provider="openai", after_tokens=30)
    (job_id,) = writers.system.submit(_another_report())

    pieces = list(client.jobs.text(job_id))

    marks = [place for place, piece in enumerate(pieces) if isinstance(piece, Reset)]
    assert len(marks) == 1
    assert "".join(pieces[marks[0] + 1 :]) == "\n\n".join(one["text"] for one in writers.recorded(job_id))


def test_who_listens_is_known_before_a_model_has_written_a_word(writers: Writers) -> None:
    writers.start()
    writers.simulator.pace(first_token_seconds=GUARD_SECONDS)
    with monitored(writers.system.settings.redis) as said:
        (job_id,) = writers.system.submit(_another_report())

        question = f"PUBSUB NUMSUB bucatini:text:{job_id}"
        wait_until(lambda: any(one.startswith(question) for one in said), "it is asked who listens")
        again = len(said)
        wait_until(
            lambda: any(one.startswith(question) for one in said[again:]), "it is asked again, for who comes later"
        )
        writers.cancel(job_id)

    assert not any(one.startswith("PUBLISH bucatini:text:") for one in said)


def _live(writers: Writers, client: Bucatini) -> bool:
    """Both sides have the tenant's key, which on a new machine takes as long as a section."""
    (job_id,) = writers.system.submit(_another_report())
    kinds = [event.type for event in client.jobs.events(job_id)]
    return "ai.delta" in kinds


def _another_report() -> GenerateDocument:
    """One that no cache answers."""
    return report(facts={**FACTS, "project": f"Crane {uuid4()}"})

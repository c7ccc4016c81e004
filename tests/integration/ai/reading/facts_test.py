"""A document's own facts, by a model."""

import json
from decimal import Decimal

import psycopg
import pytest

from bucatini.testing import RecordedRun
from events.ai import Method
from infrastructure.ports import Refused
from infrastructure.ports.ai.sizes import MAX_PART_CHARACTERS
from infrastructure.settings import Settings
from tests.integration.ai.reading.readers import LEASE, NO_FACTS, Reader
from workers.ai.questions.parts import parts_of

pytestmark = pytest.mark.anyio
RAIN = "It rains on the roof of the house. " * 1_000


def facts(**found: object) -> str:
    return json.dumps({**NO_FACTS, **found})


async def test_passages_are_looked_for_and_dates_and_amounts_are_read_by_rules(reader: Reader) -> None:
    reader.answers(
        facts(
            summary=[{"quote": "The landlord keeps the roof in repair.", "weight": 0.5}],
            key_phrases=["rent", "roof", "swimming pool"],
            dates=[{"quote": "3 March 2026", "iso": "2027-01-01"}, {"quote": "4 April 2026", "iso": "2026-04-04"}],
            amounts=[{"quote": "EUR 1,250.00", "value": "9999", "currency": "USD"}],
            parties=[
                {"quote": "Alder Ltd", "legal_form": "Ltd", "role": "Landlord"},
                {"quote": "Birch GmbH", "legal_form": "GmbH", "role": "Astronaut"},
                {"quote": "Oak Ltd", "legal_form": "Ltd", "role": None},
            ],
            defined_terms=[{"term": "Landlord", "quote": 'the "Landlord"', "definition": None}],
        )
    )
    result = await reader.process()

    assert [(one.text, one.iso) for one in result.dates] == [("3 March 2026", "2026-03-03")]
    assert [(one.value, one.currency) for one in result.amounts] == [(Decimal("1250.00"), "EUR")]
    assert [(one.name, one.role) for one in result.parties] == [("Alder Ltd", "Landlord"), ("Birch GmbH", None)]
    assert [one.text for one in result.key_phrases] == ["rent", "roof"]
    assert [(one.text, one.offset) for one in result.defined_terms] == [("Landlord", LEASE.index("Landlord”"))]
    assert [one.text for one in result.summary] == ["The landlord keeps the roof in repair."]
    assert (result.provider.method, result.extraction) == (Method.MODEL, None)


async def test_a_long_document_is_read_in_parts_and_a_retry_pays_only_for_those_that_are_missing(
    reader: Reader, settings: Settings
) -> None:
    text = "".join(f"## {number}. Room {number}\n\nThe rent is EUR {number}00. {RAIN}\n\n" for number in range(1, 5))
    parts = len(parts_of(text, MAX_PART_CHARACTERS))
    rent = facts(amounts=[{"quote": f"EUR {number}00", "value": None, "currency": None} for number in range(1, 5)])
    reader.answers(*[rent] * (parts - 1), *["No."] * 3)
    with pytest.raises(Refused):
        await reader.process(text=text)
    kept = await reader.shared.checkpoints.of_job(reader.tenant_id, reader.run.job_id)
    before = len(reader.asked())
    with psycopg.connect(
        settings.database
    ) as connection:  # As its replay does: what it failed of isn't to be used again.
        connection.execute("DELETE FROM ai_answers WHERE job_id = %s", (reader.run.job_id,))
    reader.answers(*[rent] * parts)
    reader.run = RecordedRun(tenant_id=reader.tenant_id, job_id=reader.run.job_id, attempt=2)
    result = await reader.process(text=text)

    assert parts > 2
    assert 0 < len(kept) < parts
    assert len(reader.asked()) - before == parts - len(kept)
    assert [one.value for one in result.amounts] == [100, 200, 300, 400]
    assert all(text[one.offset :].startswith(one.text) for one in result.amounts)
    assert result.provenance.calls == len(reader.asked())
    assert result.provenance.cost_usd == reader.simulator.charged(reader.key)


async def test_another_command_of_the_same_job_begins_anew(reader: Reader) -> None:
    for text, value in (("The rent is EUR 5.", 5), ("The rent is EUR 7.", 7)):
        reader.answers(facts(amounts=[{"quote": f"EUR {value}", "value": None, "currency": None}]))
        assert [one.value for one in (await reader.process(text=text)).amounts] == [value]

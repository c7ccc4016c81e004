"""How well a model reads the sample documents: never less of what a person finds, nor more beside it, than is written here.

`make quality` prints the scores, and what was missed or made up.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from bucatini.testing import RecordedRun, run_job
from schemas.ai import AnalyzeContent, ProcessDocument
from tests.quality.conftest import Judge
from tests.quality.measuring import Score, amount, amounts_of, compared, table
from workers.ai import tasks
from workers.ai.resources import Resources

ROOT = Path(__file__).parents[2]
JUDGED: dict[str, Any] = tomllib.loads(Path(__file__).with_name("judged.toml").read_text(encoding="utf-8"))
FLOORS = {
    # Precision and recall.
    "parties": (0.98, 0.90),
    "roles": (0.98, 0.90),
    "amounts": (0.98, 0.97),
    "dates": (0.98, 0.95),
    "terms": (0.98, 0.94),
    "category": (0.75, 0.75),
    "extraction": (0.85, 0.85),
}


def judged(kind: str) -> Iterator[tuple[dict[str, Any], str]]:
    for one in JUDGED[kind]:
        yield one, (ROOT / one["file"]).read_text(encoding="utf-8")


def assert_above_the_floor(scores: dict[str, Score]) -> None:
    print(f"\n{table(scores)}")
    for kind, score in scores.items():
        precision, recall = FLOORS[kind]
        assert score.precision >= precision, f"{kind} that aren't there: {score.wrong}"
        assert score.recall >= recall, f"{kind} that were missed: {score.wrong}"


def test_the_twenty_samples_are_judged() -> None:
    assert len(JUDGED["documents"]) == len([one for one in (ROOT / "samples").iterdir() if one.is_file()]) == 20


def test_facts_are_found_and_none_made_up(judge: Judge) -> None:
    async def work(shared: Resources, tenant_id: UUID) -> None:
        scores = dict.fromkeys(("parties", "roles", "amounts", "dates", "terms"), Score())
        for document, text in judged("documents"):
            command = ProcessDocument(title=document["file"], text=text)
            result = await run_job(tasks.process, command, uses=shared, run=RecordedRun(tenant_id=tenant_id))
            found = {
                "parties": ([one.name for one in result.parties], document["parties"]),
                "roles": (
                    [f"{one.name}: {one.role}" for one in result.parties if one.role],
                    [f"{name}: {role}" for name, role in document.get("roles", {}).items()],
                ),
                "amounts": (amounts_of(result), map(amount, document["amounts"])),
                "dates": ([one.iso or one.text for one in result.dates], document["dates"]),
                "terms": ([one.text for one in result.defined_terms], document["terms"]),
            }
            for kind, (has, wanted) in found.items():
                scores[kind] += compared(document["file"], has, wanted)
        assert_above_the_floor(scores)

    judge(work)


def test_documents_are_classified_by_their_descriptions(judge: Judge) -> None:
    categories = [{"name": name, "description": text} for name, text in JUDGED["categories"].items()]

    async def work(shared: Resources, tenant_id: UUID) -> None:
        score = Score()
        for document, text in judged("documents"):
            given = {"text": text, "analyses": ["classification"], "categories": categories}
            command = AnalyzeContent.model_validate(given)
            result = await run_job(tasks.analyze, command, uses=shared, run=RecordedRun(tenant_id=tenant_id))
            assert result.classification is not None
            score += compared(document["file"], [str(result.classification.best)], [document["category"]])
        assert_above_the_floor({"category": score})

    judge(work)


def test_schemas_are_filled_with_what_stands_in_the_text(judge: Judge) -> None:
    async def work(shared: Resources, tenant_id: UUID) -> None:
        score = Score()
        for document, text in judged("extractions"):
            command = ProcessDocument(title=document["file"], text=text, json_schema=json.loads(document["schema"]))
            result = await run_job(tasks.process, command, uses=shared, run=RecordedRun(tenant_id=tenant_id))
            assert result.extraction is not None
            found = leaves(result.extraction.data)
            score += compared(document["file"], found, leaves(json.loads(document["expected"])))
        assert_above_the_floor({"extraction": score})

    judge(work)


def leaves(value: Any, path: str = "") -> list[str]:
    """All values but null, each with its place."""
    match value:
        case dict():
            return [leaf for name, part in value.items() for leaf in leaves(part, f"{path}/{name}")]
        case list():
            return [leaf for part in value for leaf in leaves(part, f"{path}/*")]
        case None:
            return []
        case _:
            return [f"{path}={value}"]

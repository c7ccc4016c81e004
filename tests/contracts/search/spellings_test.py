"""What every search engine owes whoever misspells a word: other spellings that its documents have. Run on each adapter."""

from collections.abc import Sequence
from uuid import uuid4

import pytest

from infrastructure.ports.search import SearchEngine, Spelling
from tests.contracts.search.searching import ACME, batches, document, index

pytestmark = pytest.mark.anyio


async def spellings(engine: SearchEngine, word: str) -> tuple[int, Sequence[Spelling]]:
    (found,) = await engine.spellings(ACME, [word])
    return found


async def offered(engine: SearchEngine, word: str) -> dict[str, tuple[int, int]]:
    _, others = await spellings(engine, word)
    return {one.word: (one.documents, one.typos) for one in others}


async def test_a_word_tells_how_many_documents_have_it_as_it_is_written(engine: SearchEngine) -> None:
    await index(engine, document("a", "leases leases", title="Leases"), document("b", "the lease"), document("c"))

    found = await engine.spellings(ACME, ["leases", "lease", "nothing", "UNTITLED"])

    assert [documents for documents, _ in found] == [1, 1, 0, 2]


@pytest.mark.parametrize("typo", ["contrct", "contraact", "contrazt", "conrtact", "contracts"])
async def test_a_word_one_typing_error_away_is_offered(engine: SearchEngine, typo: str) -> None:
    await index(engine, document("a", "the contract"), document("b", title="Contract"))

    assert (await offered(engine, typo))["contract"] == (2, 1)


async def test_a_long_word_may_have_two_typing_errors(engine: SearchEngine) -> None:
    await index(engine, document("a", "confidentiality and agreement and lease"))

    assert await offered(engine, "confidentialty") == {"confidentiality": (1, 1)}
    assert await offered(engine, "confidnetialty") == {"confidentiality": (1, 2)}
    assert await offered(engine, "agremmnt") == {"agreement": (1, 2)}
    assert await offered(engine, "laese") == {"lease": (1, 1)}


async def test_words_are_offered_as_they_are_written_and_not_as_stems(engine: SearchEngine) -> None:
    await index(engine, document("a", "several agreements were terminated"))

    assert await offered(engine, "agreemnts") == {"agreements": (1, 1)}
    assert await offered(engine, "termiated") == {"terminated": (1, 1)}
    assert await offered(engine, "agreemen") == {"agreements": (1, 2)}


async def test_the_nearest_comes_first_and_of_those_the_most_frequent(engine: SearchEngine) -> None:
    await index(engine, document("a", "mistaken"), document("b", "mistaking"), document("c", "mistaking"))
    await index(engine, *(document(f"d{n}", "mistakes") for n in range(3)))

    _, others = await spellings(engine, "mistakin")

    assert [(one.word, one.documents, one.typos) for one in others] == [
        ("mistaking", 2, 1),
        ("mistaken", 1, 1),
        ("mistakes", 3, 2),
    ]


async def test_case_and_accents_do_not_matter(engine: SearchEngine) -> None:
    await index(engine, document("a", "Mietverträge in Zürich"))

    assert await offered(engine, "ZÜRCH") == {"zurich": (1, 1)}
    assert (await spellings(engine, "zurich"))[0] == 1
    assert "mietvertrage" in await offered(engine, "Mietvertäge")


async def test_words_of_other_scripts_are_offered(engine: SearchEngine) -> None:
    await index(engine, document("a", "настоящий договор", language="ru"))

    assert await offered(engine, "догавор") == {"договор": (1, 1)}


async def test_a_short_word_is_not_taken_for_another(engine: SearchEngine) -> None:
    await index(engine, document("a", "the cat sat"))

    assert await offered(engine, "cut") == {}


async def test_what_was_deleted_or_replaced_is_neither_counted_nor_offered(engine: SearchEngine) -> None:
    await index(engine, document("a", "contract"), document("b", "contract"), document("c", "contrast"))
    await engine.delete(ACME, "a", 2)
    await index(engine, document("c", "other", version=2))

    assert (await spellings(engine, "contract"))[0] == 1
    assert await offered(engine, "contrakt") == {"contract": (1, 1)}


async def test_no_tenant_is_offered_anothers_words(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(document("a", "secretive")))

    assert await spellings(engine, "secretiv") == (0, ())
    assert [documents for documents, _ in await engine.spellings(uuid4(), ["secretive"])] == [0]


@pytest.mark.parametrize("word", ["", " ", "*", "con.*", "\x00", "\ud800", "a" * 5_000, "two words", "C++", "(" * 300])
async def test_whatever_is_asked_is_answered(engine: SearchEngine, word: str) -> None:
    await index(engine, document("a", "contract"))

    documents, others = await spellings(engine, word)

    assert (documents, list(others)) == (0, [])
    assert len(await engine.spellings(ACME, [word, "contract"])) == 2
    assert list(await engine.spellings(ACME, [])) == []

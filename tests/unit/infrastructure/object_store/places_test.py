"""A place says whose object it is and what it holds, and nothing else is taken for one."""

from uuid import UUID, uuid4

import pytest

from infrastructure.object_store.places import DocumentObject, document_object, document_place, job_of, result_place

TENANT, CELL = UUID(int=1), str(UUID(int=2))


def test_a_documents_place_says_its_tenant_and_its_cell() -> None:
    place = document_place(TENANT, CELL)

    assert place.startswith(f"{TENANT}/documents/")
    assert document_object(place) == DocumentObject(place, TENANT, CELL)
    assert job_of(place) is None


def test_an_unfinished_object_is_a_documents_but_has_no_cell() -> None:
    place = f"{document_place(TENANT, CELL)}.{uuid4()}"

    assert document_object(place) == DocumentObject(place, TENANT, None)
    assert job_of(place) is None


def test_a_results_place_says_its_job() -> None:
    job = uuid4()
    place = result_place(TENANT, job, UUID(int=7))

    assert job_of(place) == job_of(f"{place}.{uuid4()}") == job
    assert document_object(place) is None


@pytest.mark.parametrize(
    "place", ["", "a", f"{TENANT}/documents", f"{TENANT}/documents/", f"x/documents/{CELL}", f"{TENANT}/documents/a.b"]
)
def test_other_places_hold_nothing_of_ours(place: str) -> None:
    assert document_object(place) is None
    assert job_of(place) is None


@pytest.mark.parametrize("cell", ["", "contract-7", "../../keys/master", f"{CELL}/{CELL}"])
def test_only_a_uuid_names_an_object(cell: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        document_place(TENANT, cell)

"""Names of indices: which tenant's they are can be read, and none is another's."""

import re
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.elasticsearch.names import (
    IndexName,
    all_indices,
    allocation_alias,
    checked_app,
    index_name,
    parse,
    read_alias,
    tenant_slug,
)
from infrastructure.settings import SettingsInvalid

apps = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True)
months = st.dates(min_value=date(1970, 1, 1))
generations = st.integers(1, 999_999_999)
numbers = st.integers(0, 999_999)
ACME, OTHER = UUID(int=1), UUID(int=2)


@given(apps, st.uuids(), generations, months, numbers)
def test_a_name_says_what_it_is_made_of(app: str, tenant: UUID, generation: int, month: date, number: int) -> None:
    name = index_name(app, tenant, generation, month, number)

    assert parse(str(name)) == name
    assert name.belongs_to(app, tenant)
    assert (name.generation, name.year, name.month, name.number) == (generation, month.year, month.month, number)


@given(apps, apps, st.uuids(), st.uuids(), months)
def test_no_name_is_another_tenants_and_none_stands_for_several(
    app: str, other_app: str, tenant: UUID, other: UUID, month: date
) -> None:
    ours = {str(index_name(app, tenant, 1, month, 1)), read_alias(app, tenant), allocation_alias(app, tenant)}
    theirs = {
        str(index_name(other_app, other, 1, month, 1)), read_alias(other_app, other), allocation_alias(other_app, other)
    }  # fmt: skip

    # What a server would take for a pattern, a list, an exclusion, date math or another cluster's index.
    assert not any(re.search(r"[*?,<>:/\\\\\"| #]", name) or name.startswith(("-", "_", "+", ".")) for name in ours)
    assert all(name == name.lower() and len(name.encode()) <= 255 for name in ours)
    if (app, tenant) != (other_app, other):
        assert not any(one.startswith(another) for one in ours for another in theirs)
        assert not any(found.belongs_to(app, tenant) for name in theirs if (found := parse(name)))


@given(apps, apps, st.uuids(), months)
def test_an_installations_pattern_matches_its_own_indices_only(
    app: str, other_app: str, tenant: UUID, month: date
) -> None:
    pattern = re.compile(re.escape(all_indices(app)).replace(r"\*", ".*"))

    assert bool(pattern.fullmatch(str(index_name(other_app, tenant, 1, month, 1)))) == (app == other_app)


@pytest.mark.parametrize("name", [
    "bucatini-acme-documents-g1-2026.03-000001",
    f"bucatini-{tenant_slug(ACME)}-documents-g0-2026.03-000001",
    f"bucatini-{tenant_slug(ACME)}-documents-g1-2026.13-000001",
    f"bucatini-{tenant_slug(ACME)}-documents-g1-2026.03-000001\n",
    f"bucatini-{tenant_slug(ACME)}-documents-g1-2026.03-٠٠٠٠٠١",
    f"bucatini-{tenant_slug(ACME)}-documents-g*",
    f"{read_alias('bucatini', ACME)}",
    "",
])  # fmt: skip
def test_what_is_no_index_of_ours_is_nobodys(name: str) -> None:
    assert parse(name) is None


def test_a_tenants_indices_sort_by_their_age() -> None:
    first = index_name("bucatini", ACME, 1, date(2025, 12, 1), 2)
    second = index_name("bucatini", ACME, 1, date(2026, 1, 1), 1)
    rebuilt = index_name("bucatini", ACME, 2, date(2024, 1, 1), 1)

    assert sorted([rebuilt, second, first]) == [first, second, rebuilt]
    assert sorted(map(str, [rebuilt, second, first])) == list(map(str, [first, second, rebuilt]))
    assert not first.belongs_to("bucatini", OTHER)


@pytest.mark.parametrize(("generation", "number"), [(0, 1), (-1, 1), (1, 1_000_000), (1, -1)])
def test_what_makes_no_name_is_refused(generation: int, number: int) -> None:
    with pytest.raises(ValueError, match="no index can be called"):
        index_name("bucatini", ACME, generation, date(2026, 3, 1), number)


@pytest.mark.parametrize("app", ["", "A", "bucatini-eu", "1a", "a*", "a" * 41, "bücher", "a\n"])
def test_a_prefix_that_could_match_others_is_refused(app: str) -> None:
    with pytest.raises(SettingsInvalid, match="ELASTICSEARCH_APP can't be used"):
        checked_app(app)


def test_a_name_is_a_value() -> None:
    assert IndexName("a", "b", 1, 2026, 3, 1) == IndexName("a", "b", 1, 2026, 3, 1)

"""When a tenant's documents get another index."""

from datetime import date

from infrastructure.elasticsearch.lifecycle.indexes import Size
from infrastructure.elasticsearch.lifecycle.rotation import Rotation


def test_a_month_opens_an_index_only_where_rotation_is_monthly() -> None:
    last = "app-" + "a" * 20 + "-documents-g1-2026.03-000001"
    some, none = Size(5, 1_000), Size(0, 0)
    monthly, adaptive = Rotation("monthly"), Rotation("adaptive", max_documents=10)

    assert monthly.is_due([last], some, date(2026, 4, 1))
    assert not monthly.is_due([last], none, date(2026, 4, 1))
    assert not monthly.is_due([last], some, date(2026, 3, 1))
    assert not adaptive.is_due([last], some, date(2026, 4, 1))
    assert adaptive.is_due([last], Size(10, 0), date(2026, 3, 1))
    assert adaptive.is_due([last], Size(0, 30_000_000_000), date(2026, 3, 1))


def test_no_more_indexes_are_opened_than_one_address_can_name() -> None:
    name = "app-" + "a" * 20 + "-documents-g1-2026.03-{:06}"
    full, adaptive = Size(10, 0), Rotation("adaptive", max_documents=10)

    indexes = [name.format(1)]
    while adaptive.is_due(indexes, full, date(2026, 3, 1)):
        indexes.append(name.format(len(indexes) + 1))

    assert len(",".join(indexes)) < 4_000
    assert len(indexes) > 50

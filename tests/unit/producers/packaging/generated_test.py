"""The generated code is what it is generated from: the blocking client of the one for asyncio, and `submit` of the kinds."""

from producers.packaging import blocking, typed_jobs


def test_submit_is_typed_by_what_the_kinds_declare() -> None:
    assert typed_jobs.differing() == [], "run python -m producers.packaging"


def test_the_blocking_client_is_the_one_for_asyncio_without_await() -> None:
    assert blocking.differing(blocking.generated()) == [], "run python -m producers.packaging"


def test_a_change_by_hand_is_noticed() -> None:
    files = dict(blocking.generated())
    changed = {**files, "jobs.py": files["jobs.py"] + "\n"}
    del changed["holds.py"]

    assert blocking.differing(changed) == ["holds.py", "jobs.py"]


def test_nothing_of_asyncio_is_left() -> None:
    for name, text in blocking.generated().items():
        if name != "__init__.py":
            body = text.partition("\n")[2]
            assert "async" not in body.lower(), name
            assert "await" not in body, name

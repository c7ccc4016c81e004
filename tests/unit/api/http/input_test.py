"""Parsing of client input: preferences, cursors, API keys, CLI arguments."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.cursors import Cursors
from api.http.problems import Refusal
from api.streams.long_poll import wanted_seconds
from infrastructure.postgres.tenants.api_keys import make_key, parse_key
from producers.cli.command_input import Given, NotACommand, command_from
from schemas.ai import ProcessDocument


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("WAIT=10", 10),
        ('wait="10"', 10),
        ("respond-async, wait=5", 5),
        ("wait=5; strict", 5),
        ("wait=999", 60),
        ("wait=0", 0),
        ("wait", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("wait=1e1", None),
        ("", None),
        ("await=5", None),
    ],
)
def test_a_preference_is_read_or_ignored(prefer: str, seconds: int | None) -> None:
    assert wanted_seconds({"prefer": prefer}) == seconds


@given(st.binary(min_size=1), st.uuids(), st.uuids(), st.text())
def test_a_cursor_is_read_back(key: bytes, tenant_id: UUID, job_id: UUID, scope: str) -> None:
    cursors = Cursors(key)

    assert cursors.read(tenant_id, scope, cursors.sign(tenant_id, scope, job_id)) == job_id


@given(st.text(max_size=60))
def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    with pytest.raises(Refusal):
        Cursors(b"key").read(uuid4(), "", cursor)


def test_a_cursor_holds_with_its_own_key_tenant_and_filters_only() -> None:
    tenant_id, job_id = uuid4(), uuid4()
    cursor = Cursors(b"key").sign(tenant_id, "a", job_id)
    for cursors, tenant, scope in (
        (Cursors(b"other"), tenant_id, "a"),
        (Cursors(b"key"), uuid4(), "a"),
        (Cursors(b"key"), tenant_id, "b"),
    ):
        with pytest.raises(Refusal):
            cursors.read(tenant, scope, cursor)


def test_a_new_key_is_one_that_is_read() -> None:
    for _ in range(200):
        made = make_key()
        read = parse_key(made.key)
        assert read is not None
        assert (read.id, read.secret_hash) == (made.id, made.secret_hash)


@pytest.mark.parametrize(
    "key", ["", "bct_", "bct_short_" + "x" * 43, "bct_" + "a" * 12 + "_" + "x" * 31, "bct_" + "a" * 12 + "_" + "é" * 43]
)
def test_what_cant_be_a_key_is_none(key: str) -> None:
    assert parse_key(key) is None


def test_a_command_is_made_of_what_was_typed(tmp_path: Path) -> None:
    text, fields = tmp_path / "lease.txt", tmp_path / "fields.json"
    text.write_text("Some words.", encoding="utf-8")
    fields.write_text('{"title": "From JSON", "language": "de"}', encoding="utf-8")
    typed = Given(str(fields), text, None, ("language=en", "document_id=7a"))

    assert command_from("ai.process_document", typed) == ProcessDocument(
        title="From JSON", text="Some words.", language="en", document_id="7a"
    )
    assert command_from("ai.process_document", Given(text_file=text)) == ProcessDocument(
        title="lease.txt", text="Some words."
    )


def test_an_indexed_document_takes_the_file_as_its_text(tmp_path: Path) -> None:
    text = tmp_path / "lease.txt"
    text.write_text("Some words.", encoding="utf-8")
    typed = Given(text_file=text, assignments=("document_id=lease", "document_type=contract"))

    assert command_from("search.index_document", typed).model_dump()["text"] == "Some words."


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("ai.nothing", Given(), "no kind of job"),
        ("ai.process_document", Given(title="T"), "text: Field required"),
        ("ai.process_document", Given(title="T", assignments=("text",)), "NAME=VALUE"),
        ("ai.process_document", Given(json_file="/nowhere/at/all.json"), "there is no file /nowhere/at/all.json"),
        ("ai.process_document", Given(json_file="/"), "/ can't be read: Is a directory"),
    ],
)
def test_what_makes_no_command_says_what_to_change(kind: str, given: Given, says: str) -> None:
    with pytest.raises(NotACommand, match=says):
        command_from(kind, given)

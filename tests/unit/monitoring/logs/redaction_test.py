"""A canary secret goes in through every shape a secret takes, and is seen nowhere."""

import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors.failures import describe_failure
from monitoring.logs.redaction import LONGEST_TEXT, loggable_fields, mask

CANARY = "cANARY77aBcDeFgH"

SHAPES = {
    "an API key of ours": "bct_{canary}",
    "a provider's key": "sk-{canary}",
    "a provider's newer key": "sk-ant-api03-{canary}",
    "a bearer header": "Authorization: Bearer {canary}",
    "a bearer header's value": "Bearer {canary}",
    "a basic header": "authorization: Basic {canary}==",
    "a header as a pair": "('Authorization', 'Basic {canary}')",
    "a header as a dict": "{{'Authorization': 'Bearer {canary}', 'X-Api-Key': '{canary}'}}",
    "headers as bytes": "[(b'authorization', b'Bearer {canary}')]",
    "a database URL": "postgresql://bucatini:{canary}@db:5432/bucatini",
    "a Redis URL without a user": "redis://:{canary}@127.0.0.1:6379/0",
    "a password with an at sign": "redis://:p@{canary}@127.0.0.1:6379/0",
    "a password with a slash": "redis://user:a/{canary}@127.0.0.1/0",
    "several URLs": "sentinel://:{canary}@a:1;sentinel://:{canary}@b:1",
    "a URL in capitals": "REDIS://:{canary}@127.0.0.1:6379/0",
    "a URL's query": "https://example.com/in?user=me&api_key={canary}&page=2",
    "a signed URL": "https://example.com/in?sig={canary}",
    "a libpq connection string": "host=db user=bucatini password={canary} dbname=bucatini",
    "a quoted connection string": "host=db password='{canary}' dbname=bucatini",
    "a quoted password of odd characters": "password='p, {canary}; q'",
    "JSON": '{{"client_secret": "{canary}", "page": 2}}',
    "an environment variable": "OPENAI_API_KEY={canary}",
    "a webhook secret": "whsec_{canary}+/=",
    "a token of three parts": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{canary}.{canary}",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\n{canary}\n-----END RSA PRIVATE KEY-----",
    "a private key cut short": "-----BEGIN PRIVATE KEY-----\n{canary}",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_secret_is_masked_wherever_it_stands_in_a_line(shape: str) -> None:
    secret = shape.format(canary=CANARY)

    for line in (secret, f"can't connect to {secret}: refused", f'("{secret}", 3)', f"{secret} {secret}\n{secret}"):
        assert CANARY not in mask(line)


@pytest.mark.parametrize(
    "line",
    [
        "GET http://127.0.0.1:8000/api/jobs/0198c5c4-aaaa-7000-8000-000000000000",
        "redis://127.0.0.1:6379/0 answers again",
        "42 tokens used, max_tokens 100",
        "workers/ai/generation.py:41 in generate_document",
        "at 12:30:59 the basic plan of the bearer of bad news",
        "Task sk-1 done",
    ],
)
def test_what_is_no_secret_stays_readable(line: str) -> None:
    assert mask(line) == line


def test_the_place_that_a_url_names_stays_readable() -> None:
    assert mask(f"postgresql://app:{CANARY}@db.internal:5432/jobs") == "postgresql://app:***@db.internal:5432/jobs"


def test_a_field_named_like_a_secret_is_masked_whole() -> None:
    shown = _shown({"password": CANARY, "headers": {"x-api-key": CANARY, "cookie": f"session={CANARY}"}, "tokens": 42})

    assert shown == {"password": "***", "headers": {"x-api-key": "***", "cookie": "***"}, "tokens": 42}


def test_of_an_unknown_object_only_its_type_is_told() -> None:
    class Document:
        def __repr__(self) -> str:
            return CANARY

        __str__ = __repr__

    assert _shown({"document": Document(), "body": CANARY.encode(), "parts": [Document()]}) == {
        "document": f"<{Document.__qualname__}>",
        "body": "<bytes>",
        "parts": [f"<{Document.__qualname__}>"],
    }


def test_an_exception_among_the_fields_is_told_without_its_message() -> None:
    assert _shown({"why": ValueError(CANARY)}) == {"why": "ValueError"}


def test_a_secret_that_crosses_the_cut_of_a_long_line_is_masked_all_the_same() -> None:
    for before in range(LONGEST_TEXT - 60, LONGEST_TEXT + 20, 7):
        assert CANARY[:4] not in mask("x" * before + f" redis://:{CANARY}@127.0.0.1:6379/0 " + "y" * 100)


def test_a_line_is_bounded_however_much_is_logged() -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    shown = _shown({"text": "x" * 10_000_000, "list": list(range(10_000)), "deep": deep, "number": 2**100})

    assert len(str(shown)) < 3 * LONGEST_TEXT


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 100_000,
        "a." * 50_000,
        "://" * 30_000,
        "-eyJ" * 25_000,
        "a://:" * 20_000,
        "Bearer " * 14_000,
        "password=" * 9_000,
        "-----BEGIN PRIVATE KEY-----" * 4_000,
        " " * 100_000,
        "sk-" * 30_000,
        "=:" * 50_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_hostile_line_costs_little(hostile: str) -> None:
    started = time.process_time()

    mask(hostile)

    assert time.process_time() - started < 1.0


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.uuids() | st.datetimes(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner) | st.sets(st.text())
    ),
    max_leaves=20,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), json_like))
def test_whatever_is_logged_can_be_written_as_json(fields: dict[str, object]) -> None:
    assert isinstance(orjson.loads(orjson.dumps(_shown(fields))), dict)


def _shown(fields: dict[str, object]) -> dict[str, object]:
    return loggable_fields(fields, describe_failure)

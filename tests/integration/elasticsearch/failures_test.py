"""What goes wrong with Elasticsearch is said in one line that tells what to do, and quotes nothing of a document."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from infrastructure.elasticsearch.client import elasticsearch
from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.inspection import inspect, version_flaw
from infrastructure.elasticsearch.names import index_name
from infrastructure.elasticsearch.setup import set_up
from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.search import IndexMissing
from infrastructure.settings import Settings, SettingsInvalid
from tests.elasticsearch.wire import answering, silent

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

SECRET = "the tenant's own words"
Call = Callable[["AsyncElasticsearch"], Awaitable[Any]]


def _error(kind: str) -> dict[str, Any]:
    return {"error": {"type": kind, "reason": f"failed to parse [{SECRET}]"}, "status": 0}


def _raised(settings: Settings, call: Call = lambda client: client.info()) -> Unavailable | Refused:
    async def attempt() -> None:
        async with elasticsearch(settings) as client, translated():
            await call(client)

    with pytest.raises((Unavailable, Refused)) as caught:
        asyncio.run(attempt())
    error = caught.value
    assert isinstance(error, (Unavailable, Refused))
    assert SECRET not in str(error)
    assert error.__cause__ is None
    return error


def _at(url: str, **more: Any) -> Settings:
    return Settings(elasticsearch_url=SecretStr(url), **more)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, "security_exception", "refuses the key or the password"),
        (403, "security_exception", "user may not do what is needed"),
        (403, "cluster_block_exception", "takes no writes, most likely since a disk is nearly full"),
        (429, "cluster_block_exception", "takes no writes, most likely since a disk is nearly full"),
        (429, "es_rejected_execution_exception", "has too much to do"),
        (429, "circuit_breaking_exception", "has no memory left"),
        (503, "master_not_discovered_exception", "has no master"),
        (503, "no_shard_available_action_exception", "has lost a part of the index"),
        (503, "anything", "isn't ready to serve"),
        (500, "null_pointer_exception", "failed (null_pointer_exception)"),
    ],
)
def test_what_may_pass_is_tried_again(status: int, kind: str, told: str) -> None:
    with answering(status, _error(kind)) as url:
        error = _raised(_at(url))
    assert isinstance(error, Unavailable)
    assert told in str(error)
    assert (error.retry_after_seconds is not None) == (status == 429)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, "document_parsing_exception", "refuses the request (document_parsing_exception)"),
        (413, "", "Elasticsearch takes no request that large"),
        (400, f"<{SECRET}>", "refuses the request (400)"),
    ],
)
def test_what_cant_pass_is_refused(status: int, kind: str, told: str) -> None:
    with answering(status, _error(kind)) as url:
        error = _raised(_at(url))
    assert isinstance(error, Refused)
    assert told in str(error)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, _error("media_type_header_exception"), {"X-elastic-product": "Elasticsearch"}),
        (406, {"error": "Content-Type header [application/vnd.elasticsearch+json] is not supported"}, {}),
        (200, {"version": {"number": "3.8.0", "distribution": "opensearch"}}, {}),
        (404, "no such page", {}),
    ],
    ids=["an older Elasticsearch", "OpenSearch that refuses", "OpenSearch that answers", "a web server"],
)
def test_another_server_is_told_from_an_elasticsearch_9(status: int, body: Any, headers: dict[str, str]) -> None:
    with answering(status, body, headers) as url:
        assert "is no Elasticsearch 9" in str(_raised(_at(url)))


def test_a_server_that_is_away_or_silent_is_told_apart() -> None:
    assert "can't be reached" in str(_raised(_at(f"http://{LOOPBACK}:{free_port()}")))
    with silent() as url:
        assert "didn't answer in time" in str(_raised(_at(url, elasticsearch_seconds=0.2)))
        https = url.replace("http:", "https:")
        assert isinstance(_raised(_at(https, elasticsearch_seconds=0.2)), Unavailable)


def test_nodes_that_are_away_are_passed_over() -> None:
    away = f"http://{LOOPBACK}:{free_port()}"
    with answering(200, {"version": {"number": "9.4.3"}}) as url:

        async def ask() -> list[str]:
            async with elasticsearch(_at(f"{away},{url}")) as client, translated():
                return [(await client.info())["version"]["number"] for _ in range(4)]

        assert asyncio.run(ask()) == ["9.4.3"] * 4


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{free_port()}")
    with answering(200, {"version": {"number": "9.4.3"}}) as url:

        async def ask() -> str:
            async with elasticsearch(_at(url)) as client:
                return str((await client.info())["version"]["number"])

        assert asyncio.run(ask()) == "9.4.3"


def test_a_file_without_certificates_is_said(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(SettingsInvalid, match="ELASTICSEARCH_CA_FILE holds no certificates"):
        _raised(_at("https://localhost:9200", elasticsearch_ca_file=file))


def test_a_missing_index_is_one_to_build_again(settings: Settings) -> None:
    name = str(index_name(settings.elasticsearch_app, uuid4(), 1, date(2026, 3, 1), 1))

    assert isinstance(_raised(settings, lambda client: client.search(index=name)), IndexMissing)


def test_a_full_server_takes_no_writes_and_doctor_says_so(settings: Settings) -> None:
    with _index(settings) as name:

        def block(value: bool | None) -> Call:
            return lambda client: client.indices.put_settings(
                index=name, settings={"index.blocks.read_only_allow_delete": value}
            )

        _done(settings, block(True))
        error = _raised(settings, lambda client: client.index(index=name, document={"id": SECRET}))
        assert "takes no writes, most likely since a disk is nearly full" in str(error)
        assert any("1 of our indices take no writes" in flaw for flaw in asyncio.run(inspect(settings)).flaws)

        _done(settings, block(None))
        _done(settings, lambda client: client.index(index=name, document={"id": "1"}))
        assert not any("take no writes" in flaw for flaw in asyncio.run(inspect(settings)).flaws)


def test_a_document_that_cant_be_read_is_refused_without_being_quoted(settings: Settings) -> None:
    with _index(settings) as name:
        error = _raised(settings, lambda client: client.index(index=name, document={"created_at": SECRET}))
    assert isinstance(error, Refused)
    assert "document_parsing_exception" in str(error)


def test_a_version_that_we_dont_test_with_is_a_flaw() -> None:
    assert version_flaw("9.4.3") == ""
    assert "10.0.0" in version_flaw("10.0.0")


@contextmanager
def _index(settings: Settings) -> Iterator[str]:
    name = str(index_name(settings.elasticsearch_app, uuid4(), 1, date(2026, 3, 1), 1))
    _done(settings, lambda client: set_up(client, settings.elasticsearch_app))
    _done(settings, lambda client: client.indices.create(index=name))
    yield name


def _done(settings: Settings, call: Call) -> None:
    async def do() -> None:
        async with elasticsearch(settings) as client:
            await call(client)

    asyncio.run(do())

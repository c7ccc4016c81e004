"""What the settings say of Elasticsearch, and what they can't say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.elasticsearch.address import Account, ApiKey, address_of
from infrastructure.settings import Settings, SettingsInvalid, load


def _settings(url: str | None = "https://search:9200", **more: Any) -> Settings:
    secrets = {name: SecretStr(value) if isinstance(value, str) else value for name, value in more.items()}
    user = {"elasticsearch_user": more["elasticsearch_user"]} if "elasticsearch_user" in more else {}
    return Settings(elasticsearch_url=SecretStr(url) if url is not None else None, **{**secrets, **user})


def test_several_nodes_are_one_cluster_with_one_account() -> None:
    address = address_of(_settings("https://u:p%40ss@one:9200, https://u:p%40ss@two/path/ ,https://[::1]:9201"))

    assert address.nodes == ("https://one:9200", "https://two:443/path", "https://[::1]:9201")
    assert address.credentials == Account("u", "p@ss")
    assert "p@ss" not in repr(address)


def test_a_key_goes_before_a_user_of_the_url() -> None:
    found = address_of(_settings("http://u:p@one", elasticsearch_api_key="a2V5")).credentials

    assert found == ApiKey("a2V5")
    assert "a2V5" not in repr(found)


@pytest.mark.parametrize(("settings", "told"), [
    (_settings(None), "set ELASTICSEARCH_URL to https://host:9200"),
    (_settings(" , "), "ELASTICSEARCH_URL names no server"),
    (_settings("search:9200"), "ELASTICSEARCH_URL can't be used"),
    (_settings("https://secret@search:99999"), "ELASTICSEARCH_URL can't be read"),
    (_settings("https://[search"), "ELASTICSEARCH_URL can't be read"),
    (_settings("http://a,https://b"), "ELASTICSEARCH_URL mixes http and https"),
    (_settings("http://a:secret@a,http://b:secret@b"), "ELASTICSEARCH_URL has several users"),
    (_settings("http://a/?secret=1"), "ELASTICSEARCH_URL can't have"),
    (_settings(elasticsearch_user="u"), "ELASTICSEARCH_PASSWORD isn't"),
    (_settings(elasticsearch_password="secret"), "ELASTICSEARCH_USER isn't"),
    (_settings(elasticsearch_api_key="a\nsecret: b"), "ELASTICSEARCH_API_KEY can't be used"),
    (_settings("http://a", elasticsearch_ca_file=Path(__file__)), "ELASTICSEARCH_CA_FILE is set and ELASTICSEARCH_URL isn't"),
    (_settings(elasticsearch_ca_file=Path("/nowhere.pem")), "ELASTICSEARCH_CA_FILE names no file"),
])  # fmt: skip
def test_what_cant_work_is_said_in_one_line_without_secrets(settings: Settings, told: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        address_of(settings)
    message = str(caught.value)
    assert told in message
    assert "\n" not in message
    assert "secret" not in message


def test_the_engine_is_elasticsearch_where_one_is_named_and_may_be_chosen() -> None:
    named = {"ELASTICSEARCH_URL": "http://search:9200"}

    assert load({}).chosen_search_engine == "tantivy"
    assert load(named).chosen_search_engine == "elasticsearch"
    assert load({**named, "SEARCH_ENGINE": "tantivy"}).chosen_search_engine == "tantivy"
    with pytest.raises(SettingsInvalid, match="set ELASTICSEARCH_URL"):
        _ = load({"SEARCH_ENGINE": "elasticsearch"}).chosen_search_engine
    with pytest.raises(SettingsInvalid, match="SEARCH_ENGINE can't be used"):
        load({"SEARCH_ENGINE": "solr"})

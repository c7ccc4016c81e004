"""Our settings for the shared server, under a prefix of the test's own."""

import pytest
from pydantic import SecretStr

from infrastructure.settings import Settings


@pytest.fixture
def settings(elasticsearch_url: str, elasticsearch_app: str) -> Settings:
    return Settings(elasticsearch_url=SecretStr(elasticsearch_url), elasticsearch_app=elasticsearch_app)

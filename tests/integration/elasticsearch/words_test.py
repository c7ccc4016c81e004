"""Both engines make the same words of a text, or they couldn't find the same documents."""

import asyncio
from collections.abc import Iterator
from datetime import date
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infrastructure.elasticsearch.client import elasticsearch
from infrastructure.elasticsearch.names import index_name
from infrastructure.elasticsearch.setup import set_up
from infrastructure.settings import Settings
from infrastructure.tantivy.words import STEMMED, folded, stemming

TEXTS = {
    "ar": "الكتب والمكتبات", "da": "kontrakterne og lejernes", "de": "Mietverträge, Häuser und die Straßen",
    "el": "τα συμβόλαια των ενοικιαστών", "en": "running runs, generously; agreements", "es": "los contratos firmados",
    "fi": "vuokrasopimuksessa talojen", "fr": "les locataires s'engagent à payer", "hu": "szerződések házakban",
    "it": "i contratti sottoscritti dalle parti", "nl": "huurovereenkomsten en huizen", "no": "leiekontraktene og husene",
    "pt": "os contratos assinados", "ro": "contractele semnate", "ru": "договоры аренды подписаны",
    "sv": "hyresavtalen och husen", "ta": "ஒப்பந்தங்கள் வீடுகள்", "tr": "sözleşmeler ve evlerimiz",
}  # fmt: skip
# İ loses its dot in Elasticsearch and becomes two characters in Tantivy; and one of them knows younger letters.
letters = st.characters(exclude_categories=("Cn", "Cs"), exclude_characters="İ")


@pytest.fixture
def analyze(settings: Settings, elasticsearch_url: str) -> "Iterator[Analyze]":
    name = str(index_name(settings.elasticsearch_app, uuid4(), 1, date(2026, 3, 1), 1))

    async def make() -> None:
        async with elasticsearch(settings) as client:
            await set_up(client, settings.elasticsearch_app)
            await client.indices.create(index=name)

    asyncio.run(make())
    with httpx.Client(base_url=elasticsearch_url, trust_env=False, timeout=60) as http:
        yield Analyze(http, name)


class Analyze:
    """What Elasticsearch makes of a text."""

    def __init__(self, http: httpx.Client, index: str) -> None:
        self._http, self._index = http, index

    def __call__(self, analyzer: str, text: str) -> list[str]:
        answer = self._http.post(f"/{self._index}/_analyze", json={"analyzer": analyzer, "text": text})
        assert answer.is_success, answer.text
        return [token["token"] for token in answer.json()["tokens"]]


@hypothesis_settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(letters, max_size=200))
@example("Bücher, wir's x_y 3.14 ½ ② Ⅷ தமிழ் नमस्ते a\u0301b 🍝pasta ﬁn ΣΊΣΥΦΟΣ C++ u.s.a.")
@example(" ".join(["a" * 59, "b" * 60, "é" * 29, "è" * 30, "中" * 19, "文" * 20, "𝒜" * 14, "𝒝" * 15]))
def test_words_are_the_same(analyze: Analyze, text: str) -> None:
    assert analyze("folded", text) == folded().analyze(text)


# Tantivy's Dutch stemmer is the one of Kraaij and Pohlmann, which Elasticsearch doesn't have. The others are a few years
# apart: of four thousand words they make different stems of one in a hundred in German, and of fewer elsewhere.
@pytest.mark.parametrize("language", sorted(STEMMED.keys() - {"nl"}))
def test_stems_are_the_same(analyze: Analyze, language: str) -> None:
    assert analyze(f"text_{language}", TEXTS[language]) == stemming(language).analyze(TEXTS[language])

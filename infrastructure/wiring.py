"""Builds a process's adapters from its settings. Adapters that a process doesn't use aren't imported."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from infrastructure.ports.documents import DocumentStore
from infrastructure.ports.identity import Issuer
from infrastructure.ports.keys import KeyVault, Sealer
from infrastructure.ports.objects import ObjectStore
from infrastructure.ports.search import SearchEngine
from infrastructure.ports.webhooks import Receivers
from infrastructure.postgres.session import PostgresSession, Role
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings, SettingsInvalid
from schemas.health import Condition

if TYPE_CHECKING:
    from infrastructure.extraction.limits import ExtractionLimits
    from infrastructure.key_vault.keyring import Keyring
    from infrastructure.model_registry.registry import ModelRegistry
    from infrastructure.object_store.sealed import SealedObjects
    from infrastructure.ports import Processors
    from infrastructure.ports.ai.answers import PaidAnswers
    from infrastructure.ports.ai.checkpoints import Checkpoints
    from infrastructure.ports.ai.credentials import Credentials
    from infrastructure.ports.ai.ledger import Ledger
    from infrastructure.ports.ai.model import ModelProvider
    from infrastructure.ports.extraction import TextExtractor
    from infrastructure.postgres.prompts.store import StoredPrompts
    from infrastructure.search_index.removals import RemovableDocuments


@asynccontextmanager
async def search_engine(settings: Settings) -> AsyncIterator["RemovableDocuments"]:
    """The process's search engine. A worker of the pool `search` runs its loops."""
    from infrastructure.search_index.removals import RemovableDocuments

    chosen = _elasticsearch_engine if settings.chosen_search_engine == "elasticsearch" else _tantivy_engine
    async with chosen(settings) as engine:
        yield RemovableDocuments(engine)


@asynccontextmanager
async def _elasticsearch_engine(settings: Settings) -> AsyncIterator[SearchEngine]:
    from infrastructure.elasticsearch.client import elasticsearch
    from infrastructure.elasticsearch.engine import ElasticsearchEngine, Ways
    from infrastructure.elasticsearch.lifecycle.rotation import Rotation
    from infrastructure.elasticsearch.names import checked_app
    from infrastructure.postgres.search.credentials import StoredSearchKeys
    from infrastructure.postgres.search.documents import holds_documents
    from infrastructure.postgres.search.locations import StoredLocations
    from infrastructure.redis.client import connect
    from infrastructure.redis.search_changes import SearchChanges

    rotation = Rotation(settings.search_rotation, settings.search_index_documents, settings.search_index_bytes)
    redis = connect(settings.redis)
    async with (
        aclosing(redis),
        elasticsearch(settings) as client,
        keyring(settings) as sealer,
        TenantPool(settings.database, "search engine", size=4) as lines,
        StoredLocations(settings.database, lines) as locations,
        ElasticsearchEngine(
            client,
            checked_app(settings.elasticsearch_app),
            locations,
            SearchChanges(redis),
            partial(holds_documents, lines),
            keys=StoredSearchKeys(lines, sealer),
            ways=Ways(rotation, kept_seconds=settings.search_rollback_hours * 3_600),
        ) as engine,
    ):
        yield engine


@asynccontextmanager
async def search_server_probes(settings: Settings) -> AsyncIterator[Mapping[str, Callable[[], Awaitable[Condition]]]]:
    """How the search server is, by its name; none where the engine is embedded."""
    if settings.chosen_search_engine != "elasticsearch":
        yield {}
        return
    from infrastructure.elasticsearch.client import elasticsearch
    from infrastructure.elasticsearch.probe import probe

    async with elasticsearch(settings) as client:
        yield {"elasticsearch": partial(probe, client)}


@asynccontextmanager
async def _tantivy_engine(settings: Settings) -> AsyncIterator[SearchEngine]:
    from infrastructure.postgres.search.documents import holds_documents
    from infrastructure.tantivy.engine import TantivyEngine

    home = settings.bucatini_home / "search"
    async with (
        TenantPool(settings.database, "search engine", size=2) as lines,
        TantivyEngine(home, partial(holds_documents, lines)) as engine,
    ):
        yield engine


@asynccontextmanager
async def text_extractor(
    children: int, report: Callable[[str, str, float], None], limits: "ExtractionLimits | None" = None
) -> AsyncIterator["TextExtractor"]:
    """Reads documents in so many child processes, which end with the block. `report` is given each document's format, its
    outcome and its seconds. Processes are started when the first document comes."""
    from infrastructure.extraction.extractor import ChildExtractor

    async with ChildExtractor(limits, children=children, report=report) as extractor:
        yield extractor


@asynccontextmanager
async def model_providers(
    settings: Settings, registry: "ModelRegistry", processors: "Processors"
) -> AsyncIterator["Mapping[str, ModelProvider]"]:
    """The registry's providers by name. An SDK is imported when its provider is first called: it takes seconds."""
    providers = {name: _model_provider(name, settings, registry, processors) for name in registry.providers}
    try:
        yield providers
    finally:
        for provider in providers.values():
            await provider.close()


@dataclass(frozen=True, slots=True)
class ModelRecords:
    """What a process that calls models writes down and reads."""

    ledger: "Ledger"
    credentials: "Credentials"
    checkpoints: "Checkpoints"
    paid_answers: "PaidAnswers"
    pool: TenantPool
    """Which they share, for other reads of tenants' rows."""


@asynccontextmanager
async def model_records(settings: Settings, sealer: Sealer) -> AsyncIterator[ModelRecords]:
    """The ledger, the tenants' keys of providers, and checkpoints, over one pool. What was handed to the ledger is stored
    when the block ends."""
    from infrastructure.postgres.ai.checkpoints import StoredCheckpoints
    from infrastructure.postgres.ai.credentials import StoredCredentials
    from infrastructure.postgres.ai.ledger import StoredLedger
    from infrastructure.postgres.ai.paid_answers import StoredPaidAnswers

    async with (
        TenantPool(settings.database, "models", size=4) as pool,
        StoredLedger(settings.database, pool, sealer) as ledger,
    ):
        yield ModelRecords(
            ledger,
            StoredCredentials(pool, sealer),
            StoredCheckpoints(pool, sealer),
            StoredPaidAnswers(pool, sealer),
            pool,
        )


def keyed_providers(settings: Settings, registry: "ModelRegistry") -> "Mapping[str, bool]":
    """Whether the deployment has a key for each of the registry's providers, or it needs none."""
    from infrastructure.model_registry.registry import Api

    keys = {
        "openai": settings.openai_api_key,
        "anthropic": settings.anthropic_api_key,
        "compatible": settings.compatible_api_key,
    }
    return {
        name: keys.get(name) is not None or (spec.api is not Api.MESSAGES and name != "openai")
        for name, spec in registry.providers.items()
    }


def _model_provider(
    name: str, settings: Settings, registry: "ModelRegistry", processors: "Processors"
) -> "ModelProvider":
    from infrastructure.anthropic.provider import anthropic_provider
    from infrastructure.model_http.keys import is_usable_key
    from infrastructure.model_registry.registry import Api
    from infrastructure.offline.model import OfflineModel
    from infrastructure.openai.provider import chat_provider, responses_provider

    spec = registry.providers[name]
    base_url, key = {
        "openai": (settings.openai_base_url, settings.openai_api_key),
        "anthropic": (settings.anthropic_base_url, settings.anthropic_api_key),
        "compatible": (settings.compatible_base_url, settings.compatible_api_key),
    }.get(name, (None, None))
    if key is not None and not is_usable_key(key):
        raise SettingsInvalid(f"{name.upper()}_API_KEY can't be used: it has characters that no key has")
    address, needs_key = base_url or spec.base_url or "", name == "openai"
    match spec.api:
        case Api.OFFLINE:
            return OfflineModel(processors)
        case Api.MESSAGES:
            return anthropic_provider(name, address, key, registry)
        case Api.RESPONSES:
            return responses_provider(name, address, key, registry, needs_key=needs_key)
        case Api.CHAT:
            return chat_provider(name, address, key, registry, needs_key=needs_key)


def object_store(settings: Settings) -> ObjectStore:
    """The object store: what is too large for a row."""
    if settings.object_store_url is None:
        from infrastructure.object_store.files import FileStore

        return FileStore(settings.bucatini_home / "objects")
    from infrastructure.object_store.s3 import S3ObjectStore, address_from

    return S3ObjectStore(address_from(settings))


def sealed_objects(settings: Settings) -> "SealedObjects":
    """The objects that are sealed, in the same store."""
    from infrastructure.object_store.sealed import SealedObjects

    return SealedObjects(object_store(settings))


@asynccontextmanager
async def document_store(settings: Settings, sealer: Sealer) -> AsyncIterator[DocumentStore]:
    """The tenants' documents, for jobs."""
    from infrastructure.postgres.documents.store import StoredDocuments

    async with TenantPool(settings.database, "documents") as pool:
        yield StoredDocuments(pool, sealer, sealed_objects(settings))


@asynccontextmanager
async def prompts(settings: Settings, sealer: Sealer) -> AsyncIterator["StoredPrompts"]:
    """The tenants' prompts and their tests, for jobs."""
    from infrastructure.postgres.prompts.store import StoredPrompts

    async with TenantPool(settings.database, "prompts", size=4) as pool:
        yield StoredPrompts(pool, sealer)


def key_vault(settings: Settings) -> KeyVault:
    """The vault with the master key."""
    from infrastructure.key_vault.local import LocalKeyVault

    return LocalKeyVault(settings.bucatini_home / "keys")


@asynccontextmanager
async def webhook_receivers(settings: Settings, now: Callable[[], datetime]) -> AsyncIterator[Receivers]:
    """The webhook sender. Signatures carry the time that `now` returns, in UTC."""
    from infrastructure.webhooks.sender import Sender
    from infrastructure.webhooks.signing import Signer

    async with Sender(Signer(key_vault(settings)), now=now, loopback_allowed=settings.webhook_loopback) as sender:
        yield sender


@asynccontextmanager
async def issuer(settings: Settings, now: Callable[[], datetime]) -> AsyncIterator[Issuer | None]:
    """The OpenID Connect issuer; None when the settings name none. Its tokens expire by the clock `now`."""
    if settings.oidc_issuer is None:
        yield None
        return
    if settings.oidc_audience is None:
        raise SettingsInvalid("OIDC_ISSUER is set and OIDC_AUDIENCE isn't: set whom its tokens are meant for")
    from infrastructure.oidc.issuer import OidcIssuer

    async with OidcIssuer(settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url, now=now) as found:
        yield found


@asynccontextmanager
async def keyring(settings: Settings) -> AsyncIterator["Keyring"]:
    """The tenants' keys, to seal and open cells with."""
    from infrastructure.key_vault.keyring import Keyring
    from infrastructure.postgres.keys.wrapped_keys import StoredKeys

    async with PostgresSession(settings.database, Role.SYSTEM, "tenant keys") as session:
        yield Keyring(StoredKeys(session), key_vault(settings), active_seconds=settings.key_cache_seconds)

"""The one place that reads the environment.

What isn't set falls to the embedded default: `bucatini up` writes where its servers listen to `local.json` in the data
folder, so a second shell's `bucatini jobs list` finds them without a variable.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

LOCAL_STACK_FILE = "local.json"


class SettingsInvalid(Exception):
    """A setting is missing or has a value that can't work. The message names the variable to set."""


def _listed(given: object) -> object:
    return tuple(one.strip() for one in given.split(",") if one.strip()) if isinstance(given, str) else given


class Settings(BaseModel):
    """All settings of all processes. Every field is an environment variable of the same name in capitals."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bucatini_home: Path = Path(".bucatini")
    """Where the embedded default keeps its data, logs and the first admin key."""
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """The ingress's port; 0 takes a free one."""
    flower_host: str = "127.0.0.1"
    """Beyond loopback Flower only starts with FLOWER_BASIC_AUTH."""
    flower_port: Annotated[int, Field(ge=0, le=65_535)] = 5555
    flower_basic_auth: SecretStr | None = None
    """`user:password` for Flower. Without it Flower can look and not touch."""
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Where an ingress, worker or dispatcher serves operators its /metrics and /healthz; 0 takes a free port and logs
    it."""
    bucatini_url: str | None = None
    """Where clients and the CLI find the ingress."""
    bucatini_api_key: SecretStr | None = None
    """What the CLI authenticates with."""

    bucatini_jobs: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """The packages or modules with jobs of your own, such as `my_package.jobs`, with commas between. The same for every
    process."""
    bucatini_jobs_folder: Path = Path()
    """Where these are looked for if they aren't installed; the current folder if not set."""
    worker_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Jobs that one worker process runs at a time."""
    cpu_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Child processes for CPU-bound steps in each worker that has some. Of kinds that say they need one, a worker runs
    as many jobs at a time."""
    extraction_processes: Annotated[int, Field(ge=1, le=64)] = 2
    """Child processes that read uploaded documents in each worker of the pool `search`: so many at a time."""
    worker_threads: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Functions that aren't `async` and that one worker process runs at a time, each in a thread."""
    grace_seconds: Annotated[float, Field(ge=0, le=3_600)] = 20.0
    """What running jobs get to finish in after SIGTERM, before they are handed back."""
    heartbeat_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    lease_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    """A worker silent for this long is dead, and its jobs go to others."""
    watchdog_seconds: Annotated[float, Field(gt=5, le=3_600)] = 45.0
    """A worker whose BRPOP gets no reply for this long, though Redis answers others, exits. Longer than the half minute
    that Celery may wait between two reconnects."""
    sweep_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    ring_again_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    """A job still unclaimed after this long gets another doorbell if its queue in Redis is empty."""
    ring_all_again_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    """So often the oldest unclaimed jobs are rung again however many bells wait, for those whose bell died with a
    worker."""
    idempotency_hours: Annotated[int, Field(ge=1, le=720)] = 24
    retention_hours: Annotated[float, Field(gt=0, le=87_600)] = 168.0
    """Jobs that succeeded or were cancelled are removed this long after their end, with their timelines."""
    dead_retention_hours: Annotated[float, Field(gt=0, le=87_600)] = 720.0
    """The same for failed and dead ones, which may still be replayed until then."""

    object_store_url: str | None = None
    """`s3://bucket/prefix`: where documents, and results beyond 256 KB, lie. Without it, in files below BUCATINI_HOME."""
    object_store_endpoint: str | None = None
    """An S3-compatible server's address; AWS if not given."""
    object_store_region: str = "us-east-1"
    object_store_access_key: SecretStr | None = None
    """With its secret key; without them the machine's own role is asked."""
    object_store_secret_key: SecretStr | None = None

    openai_api_key: SecretStr | None = None
    """For tenants without a key of their own; without any, OpenAI's models can't be called."""
    openai_base_url: str | None = None
    """Where OpenAI is reached, if not where the registry says: a proxy, or `bucatini simulate providers`."""
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    compatible_api_key: SecretStr | None = None
    """For a provider of AI_MODELS_FILE that is called `compatible`."""
    compatible_base_url: str | None = None
    ai_models_file: Path | None = None
    """A TOML file with models and providers of your own, in the form of infrastructure/model_registry/models.toml."""

    ai_models: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("offline",)
    """The models that jobs use which name none, best first, with commas between; the registry's `[tasks]` may name others for
    a task."""
    ai_calls: Annotated[int, Field(ge=1, le=1_000)] = 250
    """Calls of providers that one worker process has under way at a time."""

    ai_ledger_days: Annotated[int, Field(ge=32, le=36_500)] = 400
    """Rows of the ledger of model calls are removed so long after the call. What tenants used in a month stays, so no
    budget starts anew."""

    ai_batch_poll_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    """How often it is asked whether a provider's batch has ended. Jobs with a day's time go there, for half of the price."""

    search_slow_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25
    """Searches that take as long are kept with their shape: GET /api/search/slow-queries lists them."""
    search_cache_bytes: Annotated[int, Field(ge=0, le=4_000_000_000)] = 32_000_000
    """What one process of the ingress keeps of searches' answers; 0 keeps none."""
    search_engine: Literal["tantivy", "elasticsearch"] | None = None
    """Where documents are indexed and found. If not set, Elasticsearch where ELASTICSEARCH_URL is set, else the embedded
    Tantivy."""
    elasticsearch_url: SecretStr | None = None
    """`https://host:9200`, or several nodes of one cluster with commas between."""
    elasticsearch_api_key: SecretStr | None = None
    """An API key as Elasticsearch encodes it. Else user and password, here or in the URL."""
    elasticsearch_user: str | None = None
    elasticsearch_password: SecretStr | None = None
    elasticsearch_ca_file: Path | None = None
    """The certificates that sign the nodes', in a PEM file; those that everybody trusts if not set."""
    elasticsearch_app: str = "bucatini"
    """What the names of all indices and templates begin with: one cluster may serve several installations."""
    search_rotation: Literal["monthly", "adaptive"] = "adaptive"
    """When a tenant's new documents get another index in Elasticsearch: when the last one is full, or each month too."""
    search_index_documents: Annotated[int, Field(ge=1, le=1_000_000_000)] = 5_000_000
    """Documents with which such an index is full."""
    search_index_bytes: Annotated[int, Field(ge=1_000_000)] = 30_000_000_000
    """Bytes with which it is."""
    search_rollback_hours: Annotated[float, Field(ge=0, le=720)] = 24.0
    """How long a rebuilt index's predecessor is kept up to date beside it, to be rolled back to."""
    search_snapshots: str | None = None
    """A folder that all nodes of Elasticsearch share, below their `path.repo`: where snapshots may be kept."""
    elasticsearch_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """What one request may take."""

    signing_key: SecretStr | None = None
    """What the ingress signs list cursors and read tokens with; the same in all its processes. Made from DATABASE_URL
    if not set."""
    oidc_issuer: str | None = None
    """An OpenID Connect provider whose tokens (JWT) are taken beside our own keys, exactly as its `iss` spells it."""
    oidc_audience: str | None = None
    """The `aud` that its tokens must have. Needed with OIDC_ISSUER."""
    oidc_jwks_url: str | None = None
    """Where its keys are; found by discovery if not set."""
    oidc_tenant_claim: str = "tenant"
    """The claim that names the tenant, by id or name. The tenant must exist, or OIDC_PROVISION_TENANTS be set."""
    oidc_provision_tenants: bool = False
    """Makes a tenant, with default limits, of a name in that claim that no tenant has."""
    oidc_scopes_claim: str = "scope"
    """The claim that lists our scopes: a list, or text with spaces between."""
    key_cache_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """How long a process may go on sealing with a key after another became active; a rotation waits as long."""

    webhook_loopback: bool = False
    """For development only: webhooks may go to this machine's loopback too, and there by plain http."""
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Whose pages may open a WebSocket beside the ingress's own, such as `https://app.example.com`, with commas
    between; `*` for all. A key is needed in any case."""

    tenant_requests_per_minute: Annotated[int, Field(ge=1)] = 600_000
    """Requests that one tenant may make in any minute, over all processes of the ingress."""
    key_requests_per_minute: Annotated[int, Field(ge=1)] = 300_000
    """The same for one key."""
    max_connections: Annotated[int, Field(ge=16)] = 10_000
    """Connections that one process of the ingress holds; fewer where it has too few descriptors (`ulimit -n`) for
    them."""
    max_connections_per_address: Annotated[int, Field(ge=1)] | None = None
    """The same from one address, half of all if not set. Behind a proxy all come from the proxy's: set it as high as
    MAX_CONNECTIONS."""
    max_body_bytes: Annotated[int, Field(ge=1_024, le=4_000_000)] = 2_000_000
    max_batch_body_bytes: Annotated[int, Field(ge=1_024, le=64_000_000)] = 16_000_000
    """The same for a request with many commands."""
    max_upload_bytes: Annotated[int, Field(ge=1_024, le=5_000_000_000)] = 100_000_000
    """The same for an uploaded document, or a form with several."""
    upload_idle_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """An upload of which hardly anything arrives for this long is ended."""
    upload_seconds: Annotated[float, Field(gt=0, le=86_400)] = 3_600.0
    """What an upload may take in all."""
    max_uploads: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Uploads that one process of the ingress takes at a time."""
    max_uploads_per_tenant: Annotated[int, Field(ge=1, le=10_000)] = 32
    """The same of one tenant: a part of them, so that none keeps the others out."""
    log_level: str = "INFO"
    log_format: str = "json"

    otel_exporter_otlp_endpoint: str | None = None
    """OpenTelemetry's variables: the collector that ingress and workers send their spans to, by OTLP over HTTP. Those that
    aren't here (headers, sampler, resource attributes, …) are read by its SDK."""
    otel_exporter_otlp_traces_endpoint: str | None = None
    """The same for traces alone, with its path."""
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_traces_exporter: Literal["otlp", "none"] = "otlp"
    otel_sdk_disabled: bool = False
    otel_bsp_max_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 2_048
    """Spans of a process that wait for the collector; further ones are dropped and counted."""
    otel_bsp_max_export_batch_size: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Spans that are sent at a time."""

    @property
    def database(self) -> str:
        if self.database_url is None:
            raise SettingsInvalid("no database is known: run `bucatini up` or set DATABASE_URL")
        return self.database_url.get_secret_value()

    @property
    def chosen_search_engine(self) -> Literal["tantivy", "elasticsearch"]:
        if self.search_engine == "elasticsearch" and self.elasticsearch_url is None:
            raise SettingsInvalid("SEARCH_ENGINE is elasticsearch and no server is known: set ELASTICSEARCH_URL")
        return self.search_engine or ("elasticsearch" if self.elasticsearch_url else "tantivy")

    @property
    def exports_traces(self) -> bool:
        named = self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint
        return named is not None and self.otel_traces_exporter == "otlp" and not self.otel_sdk_disabled

    @property
    def redis(self) -> str:
        if self.redis_url is None:
            raise SettingsInvalid("no Redis is known: run `bucatini up` or set REDIS_URL")
        return self.redis_url.get_secret_value()


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from the environment, completed by what a running local stack wrote."""
    variables = os.environ if environment is None else environment
    given = {name: variables[name.upper()] for name in Settings.model_fields if variables.get(name.upper())}
    home = Path(given.get("bucatini_home", Settings.model_fields["bucatini_home"].default))
    if "database_url" not in given:
        # libpq would look for the embedded database in that service, and an address can't tell it not to.
        os.environ.pop("PGSERVICE", None)
    try:
        return Settings.model_validate({**_local_stack(home), **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsInvalid(f"{str(first['loc'][0]).upper()} can't be used: {first['msg']}") from None


def _local_stack(home: Path) -> dict[str, Any]:
    try:
        written: dict[str, Any] = json.loads((home / LOCAL_STACK_FILE).read_bytes())["settings"]
    except (OSError, ValueError, KeyError):
        return {}
    return written

"""The models that can be called: those that ship with Bucatini, and those of the file that AI_MODELS_FILE names."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infrastructure.model_registry.pricing import ModelPrices, own_prices, shipped_prices
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Lane
from infrastructure.settings import SettingsInvalid

MAX_FILE_BYTES = 1_000_000
MAX_CANDIDATES = 5
"""Of one task, or one call."""
SHIPPED = "models.toml"


class Api(StrEnum):
    RESPONSES = "responses"
    CHAT = "chat"
    MESSAGES = "messages"
    OFFLINE = "offline"


class Parameter(StrEnum):
    """What a model accepts beyond text and an output limit."""

    TEMPERATURE = "temperature"
    STOP = "stop"
    SCHEMA = "schema"
    CACHE_BREAKPOINTS = "cache_breakpoints"


Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w./:@+-]+$")]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProviderSpec(_Entry):
    api: Api
    base_url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2_000)] | None = None
    """None for the offline one."""

    @model_validator(mode="after")
    def _has_an_address(self) -> "ProviderSpec":
        if (self.base_url is None) is not (self.api is Api.OFFLINE):
            raise ValueError("base_url is where the provider is reached: all but the offline one need it")
        return self


class Rates(_Entry):
    input_mtok: Dollars
    output_mtok: Dollars
    cache_read_mtok: Dollars | None = None
    cache_write_mtok: Dollars | None = None
    cache_write_1h_mtok: Dollars | None = None


class ModelSpec(_Entry):
    provider: Name
    max_input_tokens: Tokens
    max_output_tokens: Tokens
    accepts: frozenset[Parameter] = frozenset()
    lanes: frozenset[Lane] = frozenset({Lane.REALTIME})
    price: str | None = None
    rates: Rates | None = None

    def takes(self, parameter: Parameter) -> bool:
        return parameter in self.accepts


class _File(_Entry):
    providers: dict[Name, ProviderSpec] = Field(default_factory=dict, max_length=100)
    models: dict[Name, ModelSpec] = Field(default_factory=dict, max_length=1_000)
    tasks: dict[Purpose, Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_CANDIDATES)]] = Field(
        default_factory=dict
    )


class UnknownModel(LookupError):
    """No entry of the registry has this name."""


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    providers: Mapping[str, ProviderSpec]
    models: Mapping[str, ModelSpec]
    tasks: Mapping[Purpose, tuple[str, ...]]
    """The models of a task, best first, where the deployment named some."""

    def candidates(self, task: Purpose, default: tuple[str, ...]) -> tuple[str, ...]:
        """The models that are tried for a task, best first, where a job names none."""
        return self.tasks.get(task, default)

    def model(self, name: str) -> ModelSpec:
        """UnknownModel when there is none."""
        try:
            return self.models[name]
        except KeyError:
            raise UnknownModel(
                f"no model is called {name[:200]!r}: take one of {', '.join(sorted(self.models)[:20])}, or add it to "
                "the file that AI_MODELS_FILE names"
            ) from None

    def prices(self, name: str) -> ModelPrices | None:
        """None when nobody knows them. UnknownModel as above."""
        spec = self.model(name)
        if spec.rates is not None:
            known = {rate: dollars for rate, dollars in spec.rates.model_dump().items() if dollars is not None}
            return own_prices(f"the registry's entry of {name}", known)
        return None if spec.price is None else shipped_prices().get(spec.price)


def load(file: Path | None = None) -> ModelRegistry:
    """The shipped models, and those of the file. SettingsInvalid when the file can't be used; it names the entry."""
    shipped = _parsed((files(__package__) / SHIPPED).read_bytes(), SHIPPED)
    if file is None:
        return _checked(shipped, SHIPPED)
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsInvalid(f"AI_MODELS_FILE can't be read: {error.strerror}: {file}") from None
    if len(text) > MAX_FILE_BYTES:
        raise SettingsInvalid(f"AI_MODELS_FILE is larger than {MAX_FILE_BYTES} bytes: {file}")
    own = _parsed(text, str(file))
    both = _File(
        providers={**shipped.providers, **own.providers},
        models={**shipped.models, **own.models},
        tasks={**shipped.tasks, **own.tasks},
    )
    return _checked(both, str(file))


def _parsed(text: bytes, source: str) -> _File:
    try:
        written: dict[str, Any] = tomllib.loads(text.decode())
        return _File.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"{source}: {where}: {first['msg']}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{source} is no TOML: {error}") from None


def _checked(given: _File, source: str) -> ModelRegistry:
    for name, spec in given.models.items():
        if spec.provider not in given.providers:
            raise SettingsInvalid(f"{source}: models.{name}.provider: there is no provider {spec.provider!r}")
        if spec.price is not None and spec.price not in shipped_prices():
            raise SettingsInvalid(f"{source}: models.{name}.price: prices.json has no {spec.price!r}")
    for task, names in given.tasks.items():
        if unknown := [name for name in names if name not in given.models]:
            raise SettingsInvalid(f"{source}: tasks.{task}: there is no model {unknown[0]!r}")
    return ModelRegistry(given.providers, given.models, given.tasks)

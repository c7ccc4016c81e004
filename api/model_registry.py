"""The registry of models, as the ingress needs it: read when it is first asked for."""

import asyncio
from functools import cache
from pathlib import Path

from infrastructure.model_registry.registry import ModelRegistry, load
from infrastructure.settings import Settings


async def registry_of(settings: Settings) -> ModelRegistry:
    """The shipped models and the deployment's own. SettingsInvalid when AI_MODELS_FILE can't be used."""
    return await asyncio.to_thread(_loaded, settings.ai_models_file)


@cache
def _loaded(file: Path | None) -> ModelRegistry:
    return load(file)

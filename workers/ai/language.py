"""The language of a text: given or detected."""

from events.ai import Language, LanguageSource
from infrastructure.ports.ai.text import TextProvider


async def language_of(text: str, given: str | None, provider: TextProvider) -> Language:
    """The language the caller gave, or else the one the provider detects."""
    if given is None:
        return await provider.language_of(text)
    return Language(code=given.partition("-")[0], confidence=1.0, source=LanguageSource.GIVEN)

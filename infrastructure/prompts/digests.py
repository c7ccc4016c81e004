"""What a version's content is known by."""

from hashlib import sha256

from schemas.ai.prompts import PromptContent


def digest_of(content: PromptContent, base: int | None) -> bytes:
    """SHA-256 of what it says and which version it changes."""
    return sha256(f"{base or ''}\n{written(content)}".encode()).digest()


def written(content: PromptContent) -> str:
    """As it is stored."""
    return content.model_dump_json(exclude_defaults=True)

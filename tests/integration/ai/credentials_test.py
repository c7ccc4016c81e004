"""A tenant's own key of a provider is used within two seconds, everywhere, and read by nobody."""

from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from infrastructure.ports.ai.credentials import DEPLOYMENT
from infrastructure.postgres.ai import credentials
from infrastructure.postgres.ai.credentials import StoredCredentials
from infrastructure.wiring import keyring
from tests.integration.ai.recording import Recording

pytestmark = pytest.mark.anyio
KEY, ANOTHER = "sk-test-0123456789abcdefWXYZ", "sk-test-fedcba9876543210abcd"


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


async def store(recording: Recording, key: str = KEY, provider: str = "openai") -> None:
    async with keyring(recording.settings) as sealer:
        await credentials.set_credential(
            recording.pool, sealer, recording.tenant_id, provider, SecretStr(key), by="test"
        )


async def test_a_tenant_without_a_key_uses_the_deployments(recording: Recording) -> None:
    assert await recording.credentials.of(recording.tenant_id, "openai") == DEPLOYMENT


async def test_a_process_believes_what_it_read_for_less_than_two_seconds(recording: Recording) -> None:
    async with keyring(recording.settings) as sealer:
        clock = Clock()
        used = StoredCredentials(recording.pool, sealer, clock=clock)
        before = await used.of(recording.tenant_id, "openai")
        await store(recording)
        clock.seconds = 1.99
        own = await used.of(recording.tenant_id, "openai")
        await store(recording, ANOTHER)
        clock.seconds = 3.98
        changed = await used.of(recording.tenant_id, "openai")
        await recording.pool.run(
            recording.tenant_id,
            lambda connection: credentials.remove_credential(connection, recording.tenant_id, "openai"),
        )
        clock.seconds = 5.97
        removed = await used.of(recording.tenant_id, "openai")

    assert [one.key and one.key.get_secret_value() for one in (before, own, changed, removed)] == [
        None,
        KEY,
        ANOTHER,
        None,
    ]
    assert len({before.id, own.id, changed.id}) == 3
    assert removed == DEPLOYMENT


async def test_a_key_is_named_without_telling_it_and_never_shown(recording: Recording) -> None:
    await store(recording)

    own = await recording.credentials.of(recording.tenant_id, "openai")

    assert own.is_tenants
    assert KEY[-8:] not in f"{own.id} {own!r}"
    [(key, hint)] = recording.execute("SELECT key, hint FROM ai_credentials")
    assert KEY.encode() not in key
    assert hint == "WXYZ"


async def test_a_short_key_has_no_hint_that_gives_it_away() -> None:
    assert (credentials.hint_of("secret-key-1234"), credentials.hint_of("0123456789abcdef")) == ("", "cdef")


async def test_a_key_is_its_tenants_alone(recording: Recording) -> None:
    await store(recording)
    stranger = recording.another_tenant()

    assert await stranger.credentials.of(stranger.tenant_id, "openai") == DEPLOYMENT
    assert await recording.credentials.of(recording.tenant_id, "anthropic") == DEPLOYMENT

"""The port of providers' keys: a tenant's own, or the deployment's."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Credential:
    key: SecretStr | None = field(repr=False)
    """None: the deployment's own, which the provider's adapter has."""
    id: str
    """Names it among the provider's keys and tells nothing of it: `deployment`, or a hash."""

    @property
    def is_tenants(self) -> bool:
        return self.key is not None


DEPLOYMENT = Credential(None, "deployment")


class Credentials(Protocol):
    async def of(self, tenant_id: UUID, provider: str) -> Credential:
        """The tenant's own key, or else the deployment's. A changed key is used within two seconds, everywhere.

        Unavailable when PostgreSQL can't be reached.
        """
        ...

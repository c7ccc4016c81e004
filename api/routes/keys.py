"""Lists the tenant's data keys. Key material is never returned."""

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http.responses import Answer, json_answer
from infrastructure.postgres.keys.wrapped_keys import tenant_keys
from schemas.keys import TenantKeys


async def list_keys(call: Call[Empty, Empty]) -> Answer:
    return json_answer(200, await call.db.run(tenant_keys))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/keys",
        summary="List the tenant's keys",
        description="The newest first. Their material never leaves the vault.",
        handle=list_keys,
        answers={200: TenantKeys},
        scope=Scope.KEYS_WRITE,
    ),
)

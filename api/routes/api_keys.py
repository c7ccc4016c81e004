"""Creates, lists and revokes a tenant's API keys. The key itself is returned only on creation."""

from api.auth.principal import Scope, allows
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, NoBody, json_answer
from infrastructure.postgres.tenants import api_keys
from infrastructure.postgres.tenants.api_keys import KeyRecord, Revocation, make_key
from schemas.api_keys import ApiKey, ApiKeyCreated, ApiKeys, NewApiKey

MAX_KEYS = 1_000


async def list_keys(call: Call[Empty, Empty]) -> Answer:
    found = await call.db.run(api_keys.listed, limit=MAX_KEYS)
    return json_answer(200, ApiKeys(keys=tuple(ApiKey(**_fields_of(one)) for one in found)))


async def create_key(call: Call[NewApiKey, Empty]) -> Answer:
    key = make_key()
    wanted = call.body
    if Scope.TENANTS_ADMIN in wanted.scopes and not allows(call.principal, Scope.TENANTS_ADMIN):
        raise problems.scope_missing(Scope.TENANTS_ADMIN)
    record = await call.db.run(api_keys.add, key, wanted.name, wanted.scopes)
    return json_answer(201, ApiKeyCreated(**_fields_of(record), key=key.key))


async def revoke_key(call: Call[Empty, Empty]) -> Answer:
    key_id = call.path["id"]
    if "\x00" in key_id:
        raise problems.not_found("key")
    outcome = await call.db.run(api_keys.revoke, key_id)
    match outcome:
        case Revocation.UNKNOWN:
            raise problems.not_found("key")
        case Revocation.LAST_ADMIN:
            raise problems.last_admin_key()
        case Revocation.DONE:
            call.ingress.credentials.revoked(key_id)
            return Answer(204)


def _fields_of(record: KeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "scopes": record.scopes,
        "created_at": record.created_at,
        "revoked_at": record.revoked_at,
    }


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/api-keys",
        summary="List API keys",
        description="Revoked ones too; the newest first.",
        handle=list_keys,
        answers={200: ApiKeys},
        scope=Scope.ADMIN,
    ),
    Endpoint(
        method="POST",
        path="/api/api-keys",
        summary="Make an API key",
        description="The answer is the only place where the key itself is shown.",
        handle=create_key,
        body=NewApiKey,
        answers={201: ApiKeyCreated},
        scope=Scope.ADMIN,
        problems=(409,),
    ),
    Endpoint(
        method="DELETE",
        path="/api/api-keys/{id}",
        while_suspended=True,
        summary="Revoke an API key",
        description="It opens nothing any more, everywhere within five seconds. Repeating it is safe.",
        handle=revoke_key,
        answers={204: NoBody()},
        scope=Scope.ADMIN,
        problems=(404, 409),
    ),
)

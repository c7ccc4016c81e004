"""Sets, lists and removes a tenant's own keys of providers. Nobody can read one again."""

import logging

from pydantic import SecretStr

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, NoBody, json_answer
from api.model_registry import registry_of
from infrastructure.model_http.keys import is_usable_key
from infrastructure.model_registry.registry import Api
from infrastructure.postgres.ai import credentials
from infrastructure.settings import Settings
from schemas.ai.usage import CredentialState, CredentialStates, NewCredential
from schemas.problems import FieldProblem

logger = logging.getLogger(__name__)

PATH = "/api/ai/credentials"


async def list_credentials(call: Call[Empty, Empty]) -> Answer:
    return json_answer(200, CredentialStates(credentials=tuple(await call.db.run(credentials.credentials_of))))


async def show_credential(call: Call[Empty, Empty]) -> Answer:
    stored = await call.db.run(credentials.credentials_of)
    found = next((one for one in stored if one.provider == call.path["provider"]), None)
    if found is None:
        raise problems.no_credential(await _providers_with_keys(call.ingress.settings))
    return json_answer(200, found)


async def set_credential(call: Call[NewCredential, Empty]) -> Answer:
    """200 with what is known of it. Repeating it is safe."""
    provider, key = call.path["provider"], SecretStr(call.body.key)
    if provider not in (known := await _providers_with_keys(call.ingress.settings)):
        raise problems.no_such_provider(known)
    if not is_usable_key(key):
        detail = "can't be a provider's key: it has a space, a line's end or another character that no key has"
        raise problems.invalid_fields([FieldProblem(pointer="/key", detail=detail)])
    by, ingress = call.principal.name, call.ingress
    stored = await credentials.set_credential(ingress.pool, ingress.sealer, call.tenant_id, provider, key, by=by)
    logger.info("tenant %s: %s set its own key of %s", call.tenant_id, by, provider)
    return json_answer(200, stored)


async def remove_credential(call: Call[Empty, Empty]) -> Answer:
    provider = call.path["provider"]
    if not await call.db.run(credentials.remove_credential, provider):
        raise problems.no_credential(await _providers_with_keys(call.ingress.settings))
    logger.info("tenant %s: %s removed its own key of %s", call.tenant_id, call.principal.name, provider)
    return Answer(204)


async def _providers_with_keys(settings: Settings) -> list[str]:
    registry = await registry_of(settings)
    return sorted(name for name, spec in registry.providers.items() if spec.api is not Api.OFFLINE)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        summary="List the tenant's own keys of providers",
        description="Who set each, when, and its last four characters. The keys themselves are never shown.",
        handle=list_credentials,
        answers={200: CredentialStates},
        scope=Scope.AI_READ,
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/{{provider}}",
        summary="Show what is known of the tenant's own key of a provider",
        handle=show_credential,
        answers={200: CredentialState},
        scope=Scope.AI_READ,
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path=f"{PATH}/{{provider}}",
        summary="Set the tenant's own key of a provider",
        description=(
            "It is sealed with the tenant's own encryption key, and used in place of the deployment's within two seconds, by "
            "calls that begin then. What is already under way ends with the key that it began with."
        ),
        handle=set_credential,
        body=NewCredential,
        answers={200: CredentialState},
        scope=Scope.AI_WRITE,
        problems=(404, 422),
    ),
    Endpoint(
        method="DELETE",
        path=f"{PATH}/{{provider}}",
        summary="Remove the tenant's own key of a provider",
        description="Within two seconds the deployment's is used, if it has one.",
        handle=remove_credential,
        answers={204: NoBody()},
        scope=Scope.AI_WRITE,
        problems=(404,),
    ),
)

"""Manages webhooks: create, change, test, list deliveries and redeliver."""

from uuid import UUID

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.pagination import PageQuery, page_of
from api.http.responses import Answer, NoBody, json_answer
from events.webhooks import TESTED
from infrastructure.postgres.tenants.sessions import TenantSession
from infrastructure.postgres.webhooks import endpoints
from infrastructure.settings import Settings
from infrastructure.webhooks.signing import make_secret, shown
from infrastructure.webhooks.ssrf import NotFound, allowed_addresses, resolve
from infrastructure.webhooks.urls import UrlRefused, target_of
from schemas.webhooks import (
    DeliveryState,
    NewSecret,
    RedeliverFailed,
    Redelivery,
    Webhook,
    WebhookCreated,
    WebhookDeliveries,
    WebhookDelivery,
    WebhookRequest,
    Webhooks,
)

MAX_LISTED = 1_000
WHAT = "webhook"


class DeliveryQuery(PageQuery):
    state: DeliveryState | None = None


async def create_webhook(call: Call[WebhookRequest, Empty]) -> Answer:
    wanted = await _checked(call.body, call.ingress.settings)
    secret = make_secret()
    wrapped = await call.ingress.vault.wrap(secret)

    webhook = await call.orm.run(endpoints.add, wanted, wrapped)
    return json_answer(201, WebhookCreated(**webhook.model_dump(), secret=shown(secret)))


async def list_webhooks(call: Call[Empty, Empty]) -> Answer:
    found = await call.orm.run(endpoints.listed, limit=MAX_LISTED)
    return json_answer(200, Webhooks(webhooks=tuple(found)))


async def show_webhook(call: Call[Empty, Empty]) -> Answer:
    webhook_id = call.path_id("id", WHAT)
    found = await call.orm.run(endpoints.find, webhook_id)
    return json_answer(200, _found(found))


async def change_webhook(call: Call[WebhookRequest, Empty]) -> Answer:
    webhook_id = call.path_id("id", WHAT)
    wanted = await _checked(call.body, call.ingress.settings)
    changed = await call.orm.run(endpoints.change, webhook_id, wanted)
    return json_answer(200, _found(changed))


async def remove_webhook(call: Call[Empty, Empty]) -> Answer:
    webhook_id = call.path_id("id", WHAT)
    if not await call.orm.run(endpoints.remove, webhook_id):
        raise problems.not_found(WHAT)
    return Answer(204)


async def rotate_secret(call: Call[Empty, Empty]) -> Answer:
    webhook_id = call.path_id("id", WHAT)
    secret = make_secret()
    wrapped = await call.ingress.vault.wrap(secret)
    until = await call.orm.run(endpoints.change_secret, webhook_id, wrapped)
    if until is None:
        raise problems.not_found(WHAT)
    return json_answer(200, NewSecret(secret=shown(secret), previous_until=until))


async def test_webhook(call: Call[Empty, Empty]) -> Answer:
    webhook_id = call.path_id("id", WHAT)
    made = await call.orm.run(endpoints.test, webhook_id, TESTED)
    if made is None:
        raise problems.not_found(WHAT)
    return json_answer(202, made)


async def list_deliveries(call: Call[Empty, DeliveryQuery]) -> Answer:
    webhook_id, tenant_id, state = call.path_id("id", WHAT), call.tenant_id, call.query.state

    async def page(session: TenantSession, before: UUID, limit: int) -> list[WebhookDelivery]:
        _found(await endpoints.find(session, tenant_id, webhook_id))
        return await endpoints.deliveries(session, tenant_id, webhook_id, state=state, before=before, limit=limit)

    found, cursor = await page_of(
        call,
        f"deliveries {webhook_id} {state}",
        lambda before, limit: call.orm.transaction(lambda session: page(session, before, limit)),
    )
    return json_answer(200, WebhookDeliveries(deliveries=found, next_cursor=cursor))


async def redeliver(call: Call[Empty, Empty]) -> Answer:
    webhook_id, delivery_id = call.path_id("id", WHAT), call.path_id("delivery_id", "delivery")
    delivery = await call.orm.run(endpoints.redeliver, webhook_id, delivery_id)
    if delivery is None:
        raise problems.not_found("delivery")
    return json_answer(202, delivery)


async def redeliver_failed(call: Call[RedeliverFailed, Empty]) -> Answer:
    webhook_id, tenant_id, since = call.path_id("id", WHAT), call.tenant_id, call.body.since

    async def again(session: TenantSession) -> int:
        _found(await endpoints.find(session, tenant_id, webhook_id))
        return await endpoints.redeliver_failed(session, tenant_id, webhook_id, since)

    return json_answer(202, Redelivery(deliveries=await call.orm.transaction(again)))


async def _checked(wanted: WebhookRequest, settings: Settings) -> WebhookRequest:
    """The request with its URL normalized. The host is resolved now to report mistakes at once; each delivery resolves it
    again."""
    try:
        target = target_of(wanted.url, loopback_allowed=settings.webhook_loopback)
        await allowed_addresses(target.host, target.port, resolve, loopback_allowed=settings.webhook_loopback)
    except UrlRefused as error:
        raise problems.url_refused(str(error)) from None
    except NotFound:
        raise problems.url_refused("has a host that can't be looked up") from None
    return wanted.model_copy(update={"url": target.url})


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise problems.not_found(WHAT)
    return webhook


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/webhooks",
        summary="List webhooks",
        description="The newest first.",
        handle=list_webhooks,
        answers={200: Webhooks},
        scope=Scope.WEBHOOKS_WRITE,
    ),
    Endpoint(
        method="POST",
        path="/api/webhooks",
        summary="Make a webhook",
        description="It gets events from now on, signed as Standard Webhooks specifies. The answer is the only place "
        "where the secret is shown.",
        handle=create_webhook,
        body=WebhookRequest,
        answers={201: WebhookCreated},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/webhooks/{id}",
        summary="Show a webhook",
        handle=show_webhook,
        answers={200: Webhook},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path="/api/webhooks/{id}",
        summary="Change, pause or resume a webhook",
        description="Events from while it was paused are sent once it is resumed.",
        handle=change_webhook,
        body=WebhookRequest,
        answers={200: Webhook},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404, 422),
    ),
    Endpoint(
        method="DELETE",
        path="/api/webhooks/{id}",
        summary="Remove a webhook",
        description="With its deliveries: nothing more of them is sent.",
        handle=remove_webhook,
        answers={204: NoBody()},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/webhooks/{id}/rotate-secret",
        summary="Change a webhook's secret",
        description=f"Deliveries are signed with both for {endpoints.OVERLAP_HOURS} hours. The answer is the only place "
        "where the new one is shown.",
        handle=rotate_secret,
        answers={200: NewSecret},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/webhooks/{id}/test",
        summary="Try a webhook",
        description=f"Sends it an event of type `{TESTED}`; the delivery log has what came of it.",
        handle=test_webhook,
        answers={202: WebhookDelivery},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/webhooks/{id}/deliveries",
        summary="List a webhook's deliveries",
        description="The newest first; kept for 30 days.",
        handle=list_deliveries,
        query=DeliveryQuery,
        answers={200: WebhookDeliveries},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(400, 404),
    ),
    Endpoint(
        method="POST",
        path="/api/webhooks/{id}/deliveries/{delivery_id}/redeliver",
        summary="Deliver an event again",
        description="Repeating it is safe: a delivery that is pending isn't sent twice.",
        handle=redeliver,
        answers={202: WebhookDelivery},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/webhooks/{id}/redeliver-failed",
        summary="Deliver again whatever failed",
        handle=redeliver_failed,
        body=RedeliverFailed,
        answers={202: Redelivery},
        scope=Scope.WEBHOOKS_WRITE,
        problems=(404, 422),
    ),
)

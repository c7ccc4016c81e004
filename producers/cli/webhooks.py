"""`bucatini webhooks`: have events sent to a URL, and see and repeat what was sent."""

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from producers.cli.ages import age
from producers.cli.ids import id_of
from producers.cli.ingress import WrongUsage, show
from producers.cli.job_views import problem_text
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View, WatchOption, counted, print_note
from producers.cli.table import Column
from schemas.webhooks import Webhook, WebhookDelivery, WebhookRequest

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group("Have events sent to a URL; see and repeat it.")

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id, or the first characters of it.")]

MAX_DELIVERIES = 200
"""The newest, among which a delivery is looked for by the beginning of its id."""


@app.command("list")
def list_webhooks(output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """List webhooks, the newest first."""
    show(lambda client: Rows(client.webhooks.list(), WEBHOOKS, "no webhooks"), output, watch=watch)


@app.command("create")
def create_webhook(
    url: Annotated[str, typer.Argument(help="Where to send events: https and public.")],
    types: Annotated[list[str] | None, typer.Option("--type", help="Which events, such as 'ai.*'. Repeatable.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a webhook; print its id and, this once, its secret."""

    def created(client: "Bucatini") -> View:
        request = WebhookRequest(url=url, types=tuple(types or ("*",)), description=description)
        webhook = client.webhooks.create(request)
        print_note("Keep the secret: it isn't shown again.")
        return One(webhook, [f"webhook {webhook.id}", f"secret  {webhook.secret}"])

    show(created, output)


@app.command("pause")
def pause_webhook(webhook: WebhookId, output: OutputOption = Output.TABLE) -> None:
    """Send nothing for now. What happens meanwhile is sent later."""
    show(lambda client: _set_paused(client, webhook, paused=True), output)


@app.command("resume")
def resume_webhook(webhook: WebhookId, output: OutputOption = Output.TABLE) -> None:
    """Send again, first of all what happened meanwhile."""
    show(lambda client: _set_paused(client, webhook, paused=False), output)


@app.command("delete")
def delete_webhook(webhook: WebhookId, output: OutputOption = Output.TABLE) -> None:
    """Delete one webhook with its deliveries."""

    def deleted(client: "Bucatini") -> View:
        webhook_id = _id(client, webhook)
        client.webhooks.delete(webhook_id)
        return One({"id": str(webhook_id)}, [f"webhook {webhook_id} is deleted"])

    show(deleted, output)


@app.command("test")
def send_test_event(webhook: WebhookId, output: OutputOption = Output.TABLE) -> None:
    """Send a test event; `deliveries` has what came of it."""

    def tested(client: "Bucatini") -> View:
        delivery = client.webhooks.test(_id(client, webhook))
        return One(delivery, [f"delivery {delivery.id}"])

    show(tested, output)


@app.command("rotate-secret")
def rotate_secret(webhook: WebhookId, output: OutputOption = Output.TABLE) -> None:
    """Change the secret; print the new one, this once. Both hold for a day."""

    def rotated(client: "Bucatini") -> View:
        changed = client.webhooks.rotate_secret(_id(client, webhook))
        print_note(f"The one before holds until {changed.previous_until:%Y-%m-%d %H:%M} UTC.")
        return One(changed, [f"secret  {changed.secret}"])

    show(rotated, output)


@app.command("deliveries")
def list_deliveries(
    webhook: WebhookId,
    limit: Annotated[int, typer.Option(min=1, max=MAX_DELIVERIES, help="How many at the most.")] = 20,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List what was sent and what the receiver answered, the newest first."""

    def listed(client: "Bucatini") -> View:
        deliveries = client.webhooks.deliveries(_id(client, webhook), limit=limit)
        return Rows(list(islice(deliveries, limit)), DELIVERIES, "no deliveries")

    show(listed, output, watch=watch)


@app.command("redeliver")
def redeliver(
    webhook: WebhookId,
    delivery: Annotated[
        str, typer.Argument(metavar="[DELIVERY]", help="One delivery's id, or the beginning of a recent one's.")
    ] = "",
    failed_since: Annotated[datetime | None, typer.Option(help="All that failed since this time (UTC).")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send one delivery again, or all that failed since some time."""

    def sent_again(client: "Bucatini") -> View:
        webhook_id = _id(client, webhook)
        if delivery:
            client.webhooks.redeliver(webhook_id, _delivery_id(client, webhook_id, delivery))
            count = 1
        elif failed_since is not None:
            count = client.webhooks.redeliver_failed(webhook_id, failed_since.replace(tzinfo=UTC))
        else:
            raise WrongUsage("name a delivery, or --failed-since a time")
        return One({"deliveries": count}, [f"{counted(count, 'delivery', 'deliveries')} will be sent again"])

    show(sent_again, output)


def _id(client: "Bucatini", typed: str) -> UUID:
    return id_of(typed, ((one.id, one.url) for one in client.webhooks.list()), "webhook")


def _delivery_id(client: "Bucatini", webhook_id: UUID, typed: str) -> UUID:
    newest = islice(client.webhooks.deliveries(webhook_id, limit=MAX_DELIVERIES), MAX_DELIVERIES)
    return id_of(typed, ((one.id, f"{one.type}, {one.state}") for one in newest), "delivery")


def _set_paused(client: "Bucatini", typed: str, *, paused: bool) -> View:
    now = client.webhooks.get(_id(client, typed))
    request = WebhookRequest(url=now.url, types=now.types, description=now.description, paused=paused)
    changed = client.webhooks.replace(now.id, request)
    return One(changed, [f"webhook {changed.id} is {_state(changed)}"])


def _state(webhook: Webhook) -> str:
    return "active" if webhook.paused_because is None else f"paused ({webhook.paused_because})"


WEBHOOKS = (
    Column[Webhook]("id", lambda webhook: str(webhook.id)),
    Column[Webhook]("state", _state),
    Column[Webhook]("url", lambda webhook: webhook.url, prose=True),
    Column[Webhook]("types", lambda webhook: ", ".join(webhook.types), prose=True),
)
DELIVERIES = (
    Column[WebhookDelivery]("id", lambda delivery: str(delivery.id)),
    Column[WebhookDelivery]("state", lambda delivery: delivery.state),
    Column[WebhookDelivery]("tries", lambda delivery: str(delivery.attempts), right=True),
    Column[WebhookDelivery]("status", lambda delivery: str(delivery.status or ""), right=True),
    Column[WebhookDelivery]("age", lambda delivery: age(delivery.created_at), right=True),
    Column[WebhookDelivery]("type", lambda delivery: delivery.type, prose=True),
    Column[WebhookDelivery](
        "problem", lambda delivery: problem_text(delivery.problem) if delivery.problem else "", prose=True
    ),
)

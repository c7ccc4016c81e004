"""`bucatini webhooks`: have events sent to a URL, and see and repeat what was sent."""

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from producers.cli.output import print_line, print_models, print_note, run

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.webhooks import Webhook, WebhookDelivery

webhooks_app = typer.Typer(name="webhooks", help="Have events sent to a URL; see and repeat it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WebhookId = Annotated[UUID, typer.Argument(metavar="ID", help="The webhook's id.")]


@webhooks_app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List webhooks, the newest first."""
    columns = ("id", "url", "types", "state")
    run(lambda client: print_models(client.webhooks.list(), columns, _webhook_row, as_json=as_json, wrap=True))


@webhooks_app.command("create")
def create_webhook(
    url: Annotated[str, typer.Argument(help="Where to send events: https and public.")],
    types: Annotated[list[str] | None, typer.Option("--type", help="Which events, such as 'ai.*'. Repeatable.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
) -> None:
    """Make a webhook; print its id and, this once, its secret."""

    def create(client: "Bucatini") -> None:
        from schemas.webhooks import WebhookRequest

        request = WebhookRequest(url=url, types=tuple(types or ("*",)), description=description)
        webhook = client.webhooks.create(request)
        print_line(f"webhook {webhook.id}")
        print_line(f"secret  {webhook.secret}")
        print_note("Keep the secret: it isn't shown again.")

    run(create)


@webhooks_app.command("pause")
def pause_webhook(webhook_id: WebhookId) -> None:
    """Send nothing for now. What happens meanwhile is sent later."""
    run(lambda client: _set_paused(client, webhook_id, paused=True))


@webhooks_app.command("resume")
def resume_webhook(webhook_id: WebhookId) -> None:
    """Send again, first of all what happened meanwhile."""
    run(lambda client: _set_paused(client, webhook_id, paused=False))


@webhooks_app.command("delete")
def delete_webhook(webhook_id: WebhookId) -> None:
    """Remove one webhook with its deliveries."""

    def delete(client: "Bucatini") -> None:
        client.webhooks.delete(webhook_id)
        print_line(f"webhook {webhook_id} is removed")

    run(delete)


@webhooks_app.command("test")
def test_webhook(webhook_id: WebhookId) -> None:
    """Send a test event; `deliveries` has what came of it."""
    run(lambda client: print_line(f"delivery {client.webhooks.test(webhook_id).id}"))


@webhooks_app.command("rotate-secret")
def rotate_secret(webhook_id: WebhookId) -> None:
    """Change the secret; print the new one, this once. Both hold for a day."""

    def rotate(client: "Bucatini") -> None:
        webhook = client.webhooks.rotate_secret(webhook_id)
        print_line(f"secret  {webhook.secret}")
        print_note(f"The one before holds until {webhook.previous_until:%Y-%m-%d %H:%M} UTC.")

    run(rotate)


@webhooks_app.command("deliveries")
def list_deliveries(
    webhook_id: WebhookId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was sent and what the receiver answered, the newest first."""

    def list_all(client: "Bucatini") -> None:
        columns = ("id", "type", "state", "attempts", "status", "seconds", "problem")
        deliveries = list(islice(client.webhooks.deliveries(webhook_id, limit=limit), limit))
        print_models(deliveries, columns, _delivery_row, as_json=as_json, wrap=True)

    run(list_all)


@webhooks_app.command("redeliver")
def redeliver(
    webhook_id: WebhookId,
    delivery_id: Annotated[UUID | None, typer.Argument(metavar="[DELIVERY]", help="One delivery's id.")] = None,
    failed_since: Annotated[datetime | None, typer.Option(help="All that failed since this time (UTC).")] = None,
) -> None:
    """Send one delivery again, or all that failed since some time."""

    def send_again(client: "Bucatini") -> None:
        from producers.cli.command_input import NotACommand

        if delivery_id is not None:
            client.webhooks.redeliver(webhook_id, delivery_id)
            count = 1
        elif failed_since is not None:
            count = client.webhooks.redeliver_failed(webhook_id, failed_since.replace(tzinfo=UTC))
        else:
            raise NotACommand("name a delivery, or --failed-since a time")
        print_line(f"{count} will be sent again")

    run(send_again)


def _set_paused(client: "Bucatini", webhook_id: UUID, *, paused: bool) -> None:
    from schemas.webhooks import WebhookRequest

    now = client.webhooks.get(webhook_id)
    request = WebhookRequest(url=now.url, types=now.types, description=now.description, paused=paused)
    print_line(f"webhook {webhook_id} is {_state(client.webhooks.replace(webhook_id, request))}")


def _state(webhook: "Webhook") -> str:
    return "active" if webhook.paused_because is None else f"paused ({webhook.paused_because})"


def _webhook_row(webhook: "Webhook") -> tuple[str, ...]:
    return (str(webhook.id), webhook.url, ", ".join(webhook.types), _state(webhook))


def _delivery_row(delivery: "WebhookDelivery") -> tuple[str, ...]:
    return (
        str(delivery.id),
        delivery.type,
        delivery.state,
        str(delivery.attempts),
        "" if delivery.status is None else str(delivery.status),
        "" if delivery.duration_seconds is None else f"{delivery.duration_seconds:.2f}",
        "" if delivery.problem is None else delivery.problem.title,
    )

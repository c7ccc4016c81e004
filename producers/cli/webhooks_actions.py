"""What `bucatini webhooks` and `bucatini groups` do: ask the ingress, print what it says."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from rich.table import Table

from producers.cli.command_input import NotACommand
from producers.cli.output import EXIT_OK, asking
from producers.cli.terminal import cell, note, say, say_json, show_table
from producers.client import Bucatini
from producers.client.resources import groups
from schemas.model import Model
from schemas.webhooks import Webhook, WebhookRequest


def list_webhooks(*, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        found = client.webhooks.list()
        rows = [(str(one.id), one.url, ", ".join(one.types), _state(one)) for one in found]
        return _print(found, ("id", "url", "types", "state"), rows, as_json=as_json)

    return asking(ask)


def create_webhook(url: str, types: tuple[str, ...], description: str) -> int:
    def ask(client: Bucatini) -> int:
        made = client.webhooks.create(WebhookRequest(url=url, types=types, description=description))
        say(f"webhook {made.id}")
        say(f"secret  {made.secret}")
        note("Keep the secret: it isn't shown again.")
        return EXIT_OK

    return asking(ask)


def set_paused(webhook_id: UUID, *, paused: bool) -> int:
    def ask(client: Bucatini) -> int:
        stands = client.webhooks.show(webhook_id)
        wanted = WebhookRequest(url=stands.url, types=stands.types, description=stands.description, paused=paused)
        say(f"webhook {webhook_id} is {_state(client.webhooks.change(webhook_id, wanted))}")
        return EXIT_OK

    return asking(ask)


def delete_webhook(webhook_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        client.webhooks.remove(webhook_id)
        say(f"webhook {webhook_id} is removed")
        return EXIT_OK

    return asking(ask)


def test_webhook(webhook_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        say(f"delivery {client.webhooks.test(webhook_id).id}")
        return EXIT_OK

    return asking(ask)


def rotate_secret(webhook_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        changed = client.webhooks.rotate_secret(webhook_id)
        say(f"secret  {changed.secret}")
        note(f"The one before holds until {changed.previous_until:%Y-%m-%d %H:%M} UTC.")
        return EXIT_OK

    return asking(ask)


def list_deliveries(webhook_id: UUID, limit: int, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        found = client.webhooks.deliveries(webhook_id, limit)
        rows = [
            (
                str(one.id),
                one.type,
                one.state,
                str(one.attempts),
                "" if one.status is None else str(one.status),
                "" if one.duration_seconds is None else f"{one.duration_seconds:.2f}",
                "" if one.problem is None else one.problem.title,
            )
            for one in found
        ]
        names = ("id", "type", "state", "attempts", "status", "seconds", "problem")
        return _print(found, names, rows, as_json=as_json)

    return asking(ask)


def redeliver(webhook_id: UUID, delivery_id: UUID | None, failed_since: datetime | None) -> int:
    def ask(client: Bucatini) -> int:
        if delivery_id is not None:
            client.webhooks.redeliver(webhook_id, delivery_id)
            count = 1
        elif failed_since is not None:
            count = client.webhooks.redeliver_failed(webhook_id, failed_since.replace(tzinfo=UTC))
        else:
            raise NotACommand("name a delivery, or --failed-since a time")
        say(f"{count} will be sent again")
        return EXIT_OK

    return asking(ask)


def list_groups(*, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        found = client.carry_out(groups.listing())
        rows = [(one.name, ", ".join(one.types), str(one.held), str(one.leased), str(one.parked)) for one in found]
        return _print(found, ("name", "types", "held", "leased", "parked"), rows, as_json=as_json)

    return asking(ask)


def follow_group(group: str, types: tuple[str, ...]) -> int:
    def ask(client: Bucatini) -> int:
        for delivery in client.subscribe(types, group=group):
            say_json(delivery.event.model_dump_json(exclude_none=True))
            delivery.ack()
        return EXIT_OK

    return asking(ask)


def _state(webhook: Webhook) -> str:
    return "active" if webhook.paused_because is None else f"paused ({webhook.paused_because})"


def _print(found: Iterable[Model], names: Sequence[str], rows: Sequence[Sequence[str]], *, as_json: bool) -> int:
    if as_json:
        for one in found:
            say_json(one.model_dump_json())
        return EXIT_OK
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name == "id")
    for row in rows:
        table.add_row(*map(cell, row))
    show_table(table)
    return EXIT_OK

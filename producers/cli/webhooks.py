"""`bucatini webhooks` and `bucatini groups`: have events sent, and see what others have taken. Exit codes as for jobs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

webhooks_app = typer.Typer(name="webhooks", help="Have events sent to a URL; see and repeat it.", no_args_is_help=True)
groups_app = typer.Typer(name="groups", help="See consumer groups; take events as a member.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WebhookId = Annotated[UUID, typer.Argument(metavar="ID", help="The webhook's id.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Which events, such as 'ai.*'. Repeatable.")]
Name = Annotated[str, typer.Argument(help="The group's name.")]


@webhooks_app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List webhooks, the newest first."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.list_webhooks(as_json=as_json))


@webhooks_app.command("create")
def create_webhook(
    url: Annotated[str, typer.Argument(help="Where to send events: https and public.")],
    types: Types = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
) -> None:
    """Make a webhook; print its id and, this once, its secret."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.create_webhook(url, tuple(types or ("*",)), description))


@webhooks_app.command("pause")
def pause_webhook(webhook_id: WebhookId) -> None:
    """Send nothing for now. What happens meanwhile is sent later."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.set_paused(webhook_id, paused=True))


@webhooks_app.command("resume")
def resume_webhook(webhook_id: WebhookId) -> None:
    """Send again, first of all what happened meanwhile."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.set_paused(webhook_id, paused=False))


@webhooks_app.command("delete")
def delete_webhook(webhook_id: WebhookId) -> None:
    """Remove one webhook with its deliveries."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.delete_webhook(webhook_id))


@webhooks_app.command("test")
def test_webhook(webhook_id: WebhookId) -> None:
    """Send a test event; `deliveries` has what came of it."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.test_webhook(webhook_id))


@webhooks_app.command("rotate-secret")
def rotate_secret(webhook_id: WebhookId) -> None:
    """Change the secret; print the new one, this once. Both hold for a day."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.rotate_secret(webhook_id))


@webhooks_app.command("deliveries")
def list_deliveries(
    webhook_id: WebhookId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was sent and what the receiver answered, the newest first."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.list_deliveries(webhook_id, limit, as_json=as_json))


@webhooks_app.command("redeliver")
def redeliver(
    webhook_id: WebhookId,
    delivery_id: Annotated[UUID | None, typer.Argument(metavar="[DELIVERY]", help="One delivery's id.")] = None,
    failed_since: Annotated[datetime | None, typer.Option(help="All that failed since this time (UTC).")] = None,
) -> None:
    """Send one delivery again, or all that failed since some time."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.redeliver(webhook_id, delivery_id, failed_since))


@groups_app.command("list")
def list_groups(as_json: AsJson = False) -> None:
    """List consumer groups with what they hold."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.list_groups(as_json=as_json))


@groups_app.command("follow")
def follow_group(group: Name, types: Types = None) -> None:
    """Take the group's events as one of its members: print and acknowledge each, until Ctrl-C."""
    from producers.cli import webhooks_actions

    raise typer.Exit(webhooks_actions.follow_group(group, tuple(types or ("*",))))

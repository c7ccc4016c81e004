"""`bucatini tenants`: makes tenants, and limits, suspends and erases them. It needs an operator's key."""

from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from producers.cli.ages import age
from producers.cli.ids import id_of, without_dots
from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View, WatchOption, print_note
from producers.cli.table import Column
from schemas.model import Model
from schemas.tenants import NewTenant, QuotaUsage, Tenant, TenantChange, TenantState, TenantUsage

if TYPE_CHECKING:
    from producers.client import Bucatini

M = TypeVar("M", bound=Model)

app = command_group("Make tenants; limit, suspend, erase them.")

TenantNamed = Annotated[str, typer.Argument(metavar="TENANT", help="Its name, its id, or the id's beginning.")]
Limit = typer.Option(metavar="N", help="A number, or `default`.")


def _state(tenant: Tenant) -> str:
    return f"{tenant.state}, operator" if tenant.is_operator else tenant.state.value


TENANTS = (
    Column[Tenant]("id", lambda one: str(one.id)),
    Column[Tenant]("name", lambda one: one.name),
    Column[Tenant]("state", _state),
    Column[Tenant]("age", lambda one: age(one.created_at), right=True),
    Column[Tenant]("region", lambda one: one.region or ""),
    Column[Tenant]("called", lambda one: one.display_name, prose=True),
)
QUOTAS = (
    Column[QuotaUsage]("quota", lambda one: one.quota),
    Column[QuotaUsage]("used", lambda one: f"{one.used:,}", right=True),
    Column[QuotaUsage]("limit", lambda one: "none" if one.limit is None else f"{one.limit:,}", right=True),
)


@app.command("list")
def list_tenants(output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """List tenants, the newest first."""
    show(lambda client: Rows(list(client.tenants.list()), TENANTS, "no tenants"), output, watch=watch)


@app.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    display_name: Annotated[str, typer.Option(help="For people.")] = "",
    region: Annotated[str | None, typer.Option(help="A tag of yours.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a tenant; print its id and, this once, its first admin key."""

    def created(client: "Bucatini") -> View:
        wanted = _validated(NewTenant, {"name": name, "display_name": display_name, "region": region})
        tenant = client.tenants.create(wanted)
        print_note("Keep the key: it isn't shown again.")
        return One(tenant, [f"tenant  {tenant.id}", f"key     {tenant.key}"])

    show(created, output)


@app.command("show")
def show_tenant(tenant: TenantNamed, output: OutputOption = Output.TABLE) -> None:
    """Show a tenant's state, and the proof once it is erased."""

    def shown(client: "Bucatini") -> View:
        found = _found(client, tenant)
        lines = [_described(found)]
        if found.erasure is not None and found.erasure.proof is not None:
            lines.append(f"proof   {found.erasure.proof['digest']}")
        return One(found, lines)

    show(shown, output)


@app.command("usage")
def show_usage(tenant: TenantNamed, output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """Show what a tenant uses of each quota, and its limits."""
    show(lambda client: _quotas(client.tenants.usage(_found(client, tenant).id)), output, watch=watch)


@app.command("limit")
def limit_tenant(
    tenant: TenantNamed,
    requests_per_minute: Annotated[str | None, Limit] = None,
    jobs_in_flight: Annotated[str | None, Limit] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="N", help="1 to 100: twice the weight, twice the share.")
    ] = None,
    queued_jobs: Annotated[str | None, Limit] = None,
    stored_bytes: Annotated[str | None, Limit] = None,
    documents: Annotated[str | None, Limit] = None,
    schedules: Annotated[str | None, Limit] = None,
    webhooks: Annotated[str | None, Limit] = None,
    groups: Annotated[str | None, Limit] = None,
    streams: Annotated[str | None, Limit] = None,
    ai_usd_a_day: Annotated[str | None, Limit] = None,
    ai_usd_a_month: Annotated[str | None, Limit] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set limits; `default` sets the default again. What isn't named stays."""
    typed = {name: value for name, value in locals().items() if name not in ("tenant", "output") and value is not None}

    def limited(client: "Bucatini") -> View:
        limits = {name: None if value == "default" else value for name, value in typed.items()}
        change = _validated(TenantChange, {"limits": limits})
        changed = client.tenants.change(_found(client, tenant).id, change)
        return _quotas(client.tenants.usage(changed.id))

    show(limited, output)


@app.command("suspend")
def suspend_tenant(
    tenant: TenantNamed,
    reason: Annotated[str, typer.Option(help="Shown to whoever is refused.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Refuse new work of a tenant and hold what waits; it reads on."""
    show(lambda client: _set_state(client, tenant, TenantState.SUSPENDED, reason), output)


@app.command("resume")
def resume_tenant(tenant: TenantNamed, output: OutputOption = Output.TABLE) -> None:
    """Undo `suspend`."""
    show(lambda client: _set_state(client, tenant, TenantState.ACTIVE, ""), output)


@app.command("erase")
def erase_tenant(
    tenant: TenantNamed,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove all that a tenant has. It can't be undone."""

    def erased(client: "Bucatini") -> View:
        found = _found(client, tenant)
        if not yes and typer.prompt(f"Type {found.name} to erase it for good") != found.name:
            raise WrongUsage("that isn't its name: nothing was erased")
        erasure = client.tenants.erase(found.id)
        print_note(f"`bucatini tenants show {found.id}` has the proof in the end.")
        return One(erasure, [f"tenant {found.id} is being erased by job {erasure.job_id}"])

    show(erased, output)


def _set_state(client: "Bucatini", typed: str, state: TenantState, because: str) -> View:
    change = _validated(TenantChange, {"state": state, "because": because})
    changed = client.tenants.change(_found(client, typed).id, change)
    return One(changed, [_described(changed)])


def _found(client: "Bucatini", typed: str) -> Tenant:
    named = client.tenants.find(typed)
    return named if named is not None else client.tenants.get(_id(client, typed))


def _id(client: "Bucatini", typed: str) -> UUID:
    try:
        return UUID(without_dots(typed))
    except ValueError:
        return id_of(typed, ((one.id, one.name) for one in client.tenants.list()), "tenant")


def _validated(model: type[M], fields: dict[str, object]) -> M:
    """The model, or WrongUsage with what to change."""
    from pydantic import ValidationError

    from producers.cli.flaws import flaws_of

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "the tenant")) from None


def _described(tenant: Tenant) -> str:
    because = f" ({tenant.state_because})" if tenant.state_because else ""
    return f"tenant  {tenant.id} {tenant.name}: {tenant.state}{because} since {tenant.state_since:%Y-%m-%d %H:%M} UTC"


def _quotas(usage: TenantUsage) -> View:
    return Rows(usage.quotas, QUOTAS, "")

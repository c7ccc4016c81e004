"""`bucatini ai providers`: whether models can be called now, and how that goes."""

from decimal import Decimal
from typing import TYPE_CHECKING

from producers.cli.ingress import show
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.table import Column
from schemas.ai.providers import ModelStatus, ProvidersStatus, ProviderStatus
from schemas.ai.usage import plain_number
from schemas.model import Model

if TYPE_CHECKING:
    from producers.client import Bucatini


class _Row(Model):
    provider: ProviderStatus
    model: ModelStatus


COLUMNS = (
    Column[_Row]("provider", lambda row: row.provider.provider),
    Column[_Row]("state", lambda row: row.provider.state.value.replace("_", " ")),
    Column[_Row]("model", lambda row: row.model.model),
    Column[_Row]("breaker", lambda row: row.model.breaker.value.replace("_", " ")),
    Column[_Row]("last error", lambda row: row.model.last_error or ""),
    Column[_Row]("calls/h", lambda row: f"{row.model.latencies.calls:,}", right=True),
    Column[_Row]("p50 ms", lambda row: _milliseconds(row.model.latencies.p50_ms), right=True),
    Column[_Row]("p95 ms", lambda row: _milliseconds(row.model.latencies.p95_ms), right=True),
    Column[_Row]("in $/M", lambda row: _dollars(row.model.input_usd_per_million_tokens), right=True),
    Column[_Row]("out $/M", lambda row: _dollars(row.model.output_usd_per_million_tokens), right=True),
)


def show_providers(output: OutputOption = Output.TABLE) -> None:
    """Show how the providers of models are: keys, breakers, limits, latencies of your calls in the last hour."""
    show(lambda client: _view(client, output), output)


def _view(client: "Bucatini", output: Output) -> View:
    status = client.ai.providers()
    if output is Output.JSON:
        return One(status, ())
    rows = [_Row(provider=provider, model=model) for provider in status.providers for model in provider.models]
    return Rows(rows, COLUMNS, "no models", note=_note(status))


def _note(status: ProvidersStatus) -> str:
    return "; ".join(f"{one.provider}: {one.detail}" for one in status.providers if one.detail)


def _milliseconds(found: float | None) -> str:
    return "" if found is None else f"{found:,.0f}"


def _dollars(found: Decimal | None) -> str:
    return "?" if found is None else plain_number(found)

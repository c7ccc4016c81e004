"""Models: what they were used for and what it cost, and your own keys of their providers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from producers.client.asynchronous.credentials import AsyncCredentials
from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import get, path, post
from schemas.ai.model_command import ModelCommand
from schemas.ai.providers import ProvidersStatus
from schemas.ai.usage import CostEstimate, EstimateRequest, GroupBy, UsageReport


class AsyncAi:
    """What your jobs ask of models. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client
        self.credentials = AsyncCredentials(client)
        """Your own keys of providers."""

    async def providers(self) -> ProvidersStatus:
        """How the providers of models are, with their models' breakers and what is left of their limits.

        status = await bucatini.ai.providers()
        print([one.provider for one in status.providers if one.state == "ready"])
        """
        return await self._client.ask(ProvidersStatus, get(path("ai", "providers", "status")))

    async def usage(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        by: Iterable[GroupBy | str] = (GroupBy.DAY,),
    ) -> UsageReport:
        """What calls that began from `since` (the beginning of the month) until before `until` (now) cost, added up.

            report = await bucatini.ai.usage(by=["model", "day"])
            print(report.total.cost_usd, report.saved_percent)

        With an operator's key and `by=["tenant"]` it is of all tenants.
        """
        return await self._client.ask(UsageReport, get(path("ai", "usage"), _query(since, until, by)))

    async def usage_csv(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        by: Iterable[GroupBy | str] = (GroupBy.DAY,),
    ) -> str:
        """The rows of the same as comma-separated values, with a header."""
        reply = await self._client.send(get(path("ai", "usage.csv"), _query(since, until, by)))
        return reply.body.decode()

    async def estimate(self, command: ModelCommand, *, deadline: datetime | None = None) -> CostEstimate:
        """What the command's job would cost; nothing is submitted, and no model is called.

        if not (await bucatini.ai.estimate(command)).fits:
            ...
        """
        fields = command.model_dump(mode="json", exclude_unset=True)
        asked = EstimateRequest(kind=command.kind, command=fields, deadline=deadline)
        return await self._client.ask(CostEstimate, post(path("ai", "estimate"), asked))


def _query(since: datetime | None, until: datetime | None, by: Iterable[GroupBy | str]) -> dict[str, object]:
    return {"since": since, "until": until, "by": ",".join(str(one) for one in by)}

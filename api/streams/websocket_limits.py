"""Limits the open WebSockets per process, tenant and key, and those that haven't authenticated yet."""

from collections import Counter
from types import TracebackType
from typing import Self

from api.auth.principal import Principal, rate_limit_key
from api.http import problems
from infrastructure.concurrency.batching import Overloaded

MAX_SOCKETS = 2_000
MAX_OF_A_TENANT = 1_000
MAX_OF_A_KEY = 500
MAX_UNAUTHENTICATED = 200


class WebSocketLimits:
    """One per process."""

    def __init__(self) -> None:
        self.open = 0
        self.unauthenticated = 0
        self.of_tenant: Counter[object] = Counter()
        self.of_key: Counter[object] = Counter()

    def place(self, principal: Principal | None) -> "Place":
        """Counts one more WebSocket for the duration of the block. `principal` is None before authentication.

        Raises a Refusal (429) at the limit of the key or tenant, and Overloaded at the limit of the process."""
        if self.open >= MAX_SOCKETS:
            raise Overloaded(f"{MAX_SOCKETS} WebSockets are open already")
        return Place(self, principal)


class Place:
    """One WebSocket in the counts."""

    def __init__(self, limits: WebSocketLimits, principal: Principal | None) -> None:
        self._limits = limits
        self._principal = principal
        self._check(principal)
        self._count(1)

    def give_to(self, principal: Principal) -> None:
        """Counts it for its principal, once authenticated. Raises as `WebSocketLimits.place` does."""
        self._check(principal)
        self._count(-1)
        self._principal = principal
        self._count(1)

    def _check(self, principal: Principal | None) -> None:
        if principal is None:
            if self._limits.unauthenticated >= MAX_UNAUTHENTICATED:
                raise Overloaded(f"{MAX_UNAUTHENTICATED} WebSockets haven't authenticated yet")
        elif self._limits.of_key[rate_limit_key(principal)] >= MAX_OF_A_KEY:
            raise problems.too_many_sockets("key", MAX_OF_A_KEY)
        elif self._limits.of_tenant[principal.tenant_id] >= MAX_OF_A_TENANT:
            raise problems.too_many_sockets("tenant", MAX_OF_A_TENANT)

    def _count(self, change: int) -> None:
        self._limits.open += change
        if self._principal is None:
            self._limits.unauthenticated += change
            return
        of_key, of_tenant = self._limits.of_key, self._limits.of_tenant
        for counts, name in ((of_key, rate_limit_key(self._principal)), (of_tenant, self._principal.tenant_id)):
            counts[name] += change
            if not counts[name]:
                del counts[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._count(-1)

"""Which package serves which queue: one explicit list, loaded only where it is needed."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

from infrastructure.settings import Settings
from schemas.commands import Queue
from workers.runtime.handler import Handler

TASKS: dict[Queue, str] = {
    Queue.AI: "workers.ai.tasks",
    Queue.SEARCH: "workers.search.tasks",
    Queue.WORKFLOW: "workers.workflow.tasks",
    Queue.KEYS: "workers.keys.tasks",
    Queue.WEBHOOKS: "workers.webhooks.tasks",
}

Bind = Callable[[Settings], AbstractAsyncContextManager[tuple[Handler[Any], ...]]]
"""What each tasks module offers as `handlers`: opens the pool's adapters, gives its handlers, closes the adapters."""


def bind(queue: Queue) -> Bind:
    """The pool's own `handlers`. Importing it loads that pool's SDKs and no other's."""
    found: Bind = import_module(TASKS[queue]).handlers
    return found

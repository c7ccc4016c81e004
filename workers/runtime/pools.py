"""The tasks module of each queue, imported only by the workers of that queue."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

from infrastructure.concurrency.loops import Loop
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

Bind = Callable[[Settings], AbstractAsyncContextManager[tuple[Handler[Any] | Loop, ...]]]
"""The type of `handlers` in each tasks module: opens the pool's adapters, yields its handlers and the loops that their
adapters need, closes the adapters."""


def bind(queue: Queue) -> Bind:
    """The queue's `handlers`. Imports that pool's SDKs and no other's."""
    found: Bind = import_module(TASKS[queue]).handlers
    return found

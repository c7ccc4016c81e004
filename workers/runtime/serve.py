"""Runs a worker inside Celery and serves its queue until a signal ends it."""

import socket
import sys
from collections.abc import Iterable

from uuid_utils import uuid4

from infrastructure.celery.app import celery_app
from infrastructure.celery.liveness import Liveness
from infrastructure.celery.pool import pool_of
from infrastructure.celery.window import Window
from infrastructure.settings import Settings
from monitoring.health import server
from monitoring.tracing.spans import exporting
from workers.runtime.pools import Bind
from workers.runtime.worker import Worker


def serve(settings: Settings, queue: str, bind: Bind, kinds: Iterable[str]) -> None:
    """Returns when the worker has drained after SIGTERM or SIGINT. Raises SystemExit with Celery's exit code when it ended for
    another reason."""
    pulse = Liveness()
    window = Window()
    worker = Worker(settings, queue, bind, pulse, window)
    app = celery_app(settings, kinds, pulse=pulse, window=window)
    with (
        server.serve(settings.metrics_port, faults=worker.faults, ready=worker.ready, host=settings.metrics_host),
        exporting(f"worker {queue}", settings),
    ):
        celery = app.Worker(
            hostname=f"{queue}-{str(uuid4())[:8]}@{socket.gethostname()}",
            queues=[queue],
            pool_cls=pool_of(worker, window),
            concurrency=settings.worker_concurrency,
            without_gossip=True,
            without_mingle=True,
            loglevel="INFO",
        )
        celery.start()
    if celery.exitcode:
        sys.exit(celery.exitcode)

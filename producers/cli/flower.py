"""`python -m producers.cli.flower`: the Flower process, from the settings."""

import os
import sys

from infrastructure.celery.app import celery_app
from infrastructure.settings import SettingsInvalid, load
from kinds.declaration import JobInvalid
from kinds.loading import load as load_jobs
from monitoring.flower.serving import FlowerWouldBeOpen, serve_flower
from monitoring.logs.logging import LogSettingInvalid, configure
from schemas.catalogue import queues


def main() -> int:
    """Flower from the settings. The exit code is 2 when they can't work."""
    try:
        settings = load()
        load_jobs(settings)
        configure(settings.log_level, settings.log_format, process="flower")
        password = settings.flower_basic_auth
        serve_flower(
            celery_app(settings),
            host=settings.flower_host,
            port=settings.flower_port,
            basic_auth=password.get_secret_value() if password else None,
            console_url=f"{settings.bucatini_url or f'http://{settings.api_host}:{settings.api_port}'}/",
            queues=list(queues()),
        )
    except (SettingsInvalid, JobInvalid, LogSettingInvalid, FlowerWouldBeOpen) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    code = main()
    # Not sys.exit: that waits for Flower's threads, and one that asks an absent Redis takes its time. Nothing is lost.
    sys.stderr.flush()
    os._exit(code)

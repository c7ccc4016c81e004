"""`python -m infrastructure.celery inspect active`: Celery's own command line, with our application in it."""

import sys

from celery import Celery

from infrastructure.celery.app import celery_app
from infrastructure.celery.control import NotACommand
from infrastructure.settings import SettingsInvalid


def main() -> int:
    """Runs the command and returns Celery's exit code; 1 when a worker refused it, 2 when the settings or the command
    are invalid."""
    try:
        app = celery_app()
        code = _start(app, sys.argv[1:])
    except (SettingsInvalid, NotACommand) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not code and app.control.refused_by:
        sys.stderr.write(f"refused by {', '.join(app.control.refused_by)}: see above\n")
        return 1
    return code


def _start(app: Celery, arguments: list[str]) -> int:
    try:
        return int(app.start(arguments) or 0)
    except SystemExit as ended:  # click's way to say that it is done.
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))


if __name__ == "__main__":
    sys.exit(main())

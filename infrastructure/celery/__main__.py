"""`python -m infrastructure.celery inspect active`: Celery's own command line, with our application in it."""

import sys

from infrastructure.celery.app import celery_app
from infrastructure.settings import SettingsInvalid


def main() -> int:
    try:
        return int(celery_app().start(sys.argv[1:]) or 0)
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())

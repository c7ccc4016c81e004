"""`python -m workers.runtime POOL`: one worker process for one queue."""

import argparse
import sys

from infrastructure import settings as settings_module
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.settings import SettingsInvalid
from monitoring.logs.logging import configure
from schemas.catalogue import COMMANDS, INTERNAL
from schemas.commands import Queue
from workers.runtime.pools import bind
from workers.runtime.serve import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="bucatini worker")
    parser.add_argument("pool", choices=[queue.value for queue in Queue])
    queue = Queue(parser.parse_args().pool)
    try:
        settings = settings_module.load()
        refuse_unfit(settings.database)
    except (SettingsInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process=f"worker {queue}")
    kinds = [kind for kind, command in {**COMMANDS, **INTERNAL}.items() if command.queue is queue]
    serve(settings, queue, bind(queue), kinds)


if __name__ == "__main__":
    main()

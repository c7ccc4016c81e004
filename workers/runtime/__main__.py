"""`python -m workers.runtime POOL`: one worker process for one queue."""

import argparse
import sys

from infrastructure import settings as settings_module
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.settings import SettingsInvalid
from kinds.declaration import JobInvalid
from kinds.loading import load
from monitoring.logs.logging import configure
from schemas.catalogue import queues
from workers.runtime.pools import bind, jobs_of
from workers.runtime.serve import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="bucatini worker")
    parser.add_argument("pool", help="a queue of ours, or of a package that BUCATINI_JOBS names")
    queue = str(parser.parse_args().pool)
    try:
        settings = settings_module.load()
        loaded = load(settings)
        if queue not in queues():
            known = f"there is no queue {queue!r}; known are {', '.join(queues())}"
            sys.exit(f"{known}. BUCATINI_JOBS names the packages that bring more")
        jobs = jobs_of(queue, loaded)
        refuse_unfit(settings.database)
    except (SettingsInvalid, JobInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process=f"worker {queue}")
    serve(settings, queue, bind(jobs), [job.command.kind for job in jobs])


if __name__ == "__main__":
    main()

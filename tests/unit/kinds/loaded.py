"""`python -m tests.unit.kinds.loaded FOLDER NAME…`: what there is once these packages of jobs were loaded, or why they can't be.
What is loaded stays loaded, so it takes a process of its own."""

import json
import sys
from pathlib import Path

from api.app import check_kinds, described
from infrastructure.settings import Settings
from kinds.declaration import JobInvalid
from kinds.loading import load, sources_of


def main(folder: str, *names: str) -> None:
    settings = Settings(bucatini_jobs=names, bucatini_jobs_folder=Path(folder))
    try:
        load(settings)
        check_kinds()
    except JobInvalid as error:
        sys.exit(str(error))
    print(json.dumps(_found(settings)))


def _found(settings: Settings) -> dict[str, object]:
    # Imported here, as whoever serves them does it: after the packages.
    from api.documentation import asyncapi
    from api.documentation.openapi import document
    from events.catalogue import kinds, result_from
    from schemas.catalogue import queues

    return {
        "kinds": {kind.name: kind.path for kind in kinds()},
        "queues": queues(),
        "openapi": list(document(described(), "1")["paths"]),
        "asyncapi": list(asyncapi.document("1")["components"]["messages"]),
        "result": type(result_from("reports.make", {"rows": 3})).__name__,
        "sources": [str(source) for source in sources_of(settings)],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])

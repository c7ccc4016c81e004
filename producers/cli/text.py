"""Writes the text of a job: on a terminal as it comes, and into a pipe only what counts."""

import sys
from typing import TYPE_CHECKING
from uuid import UUID

from producers.cli.output import EXIT_OK, print_piece

if TYPE_CHECKING:
    from producers.client import Bucatini


def write_text(client: "Bucatini", job_id: UUID | str) -> int:
    """The exit code, once the job has ended. Raises JobFailed when it ended without a result."""
    begun = False
    try:
        for piece in client.jobs.text(job_id, live=sys.stdout.isatty()):
            print_piece(piece)
            begun = True
    finally:
        if begun:
            print_piece("\n")
    return EXIT_OK

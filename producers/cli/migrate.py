"""`bucatini migrate`: tables and first admin key, for where `bucatini up` doesn't run, such as containers."""

from typing import Annotated

import typer

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.folders import usable
from infrastructure.local_stack.files.state_dir import Home
from infrastructure.local_stack.supervisor.processes import PartFailed
from infrastructure.ports import Unavailable
from infrastructure.postgres.inspection import inspect
from infrastructure.postgres.migration import VersionRefused, migrate
from infrastructure.postgres.schema import WRITTEN_FOR
from infrastructure.postgres.tenants.api_keys import create_first_admin_key
from infrastructure.settings import SettingsInvalid
from producers.cli.lazy_group import command_group
from producers.cli.output import print_line, print_note

app = command_group()

ToVersion = Annotated[
    str | None,
    typer.Option("--to", metavar="VERSION", help="Not to the newest tables but to these, be they older: 0007."),
]


@app.command("migrate")
def update_tables(to: ToVersion = None) -> None:
    """Update the tables; make the first admin key."""
    raise typer.Exit(bring_to(to))


def bring_to(version: str | None) -> int:
    """The exit code. Without a version, to this release's own, and the first key of all is made: it goes into a private file
    in BUCATINI_HOME, since what is printed here ends in logs."""
    try:
        settings = settings_module.load()
        home = Home(usable(settings.bucatini_home))
        inspect(settings.database, lease_seconds=settings.lease_seconds)
        reached = migrate(settings.database, version)
        key = create_first_admin_key(settings.database) if reached >= WRITTEN_FOR else None
    except (SettingsInvalid, PartFailed, Unavailable, VersionRefused) as error:
        print_note(f"bucatini migrate: {error}")
        return 1
    print_line(_summary(reached))
    if key is not None:
        home.keep_key(key)
        print_line(f"the first admin key is in {home.key_file}")
    return 0


def _summary(reached: str) -> str:
    if reached > WRITTEN_FOR:
        return f"the tables are of version {reached}, newer than this release's {WRITTEN_FOR}, and serve it: nothing was done"
    if reached < WRITTEN_FOR:
        return f"the tables are of version {reached} now: this release doesn't work with them, that one does"
    return f"the tables are up to date (version {reached})"

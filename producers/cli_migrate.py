"""`bucatini migrate`: tables and first admin key, for where `bucatini up` doesn't run, such as containers."""

from infrastructure import settings as settings_module
from infrastructure.local_stack.folders import usable
from infrastructure.local_stack.home import Home
from infrastructure.local_stack.processes import PartFailed
from infrastructure.ports import Unavailable
from infrastructure.postgres.credentials import create_first_admin_key
from infrastructure.postgres.inspection import inspect
from infrastructure.postgres.migration import migrate
from infrastructure.settings import SettingsInvalid
from producers.cli_terminal import note, say


def bring_up_to_date() -> int:
    """The exit code. The key goes into a private file in BUCATINI_HOME, since what is printed here ends in logs."""
    try:
        settings = settings_module.load()
        home = Home(usable(settings.bucatini_home))
        inspect(settings.database, lease_seconds=settings.lease_seconds)
        migrate(settings.database)
        key = create_first_admin_key(settings.database)
    except (SettingsInvalid, PartFailed, Unavailable) as error:
        note(f"bucatini migrate: {error}")
        return 1
    say("the tables are up to date")
    if key is not None:
        home.keep_key(key)
        say(f"the first admin key is in {home.key_file}")
    return 0

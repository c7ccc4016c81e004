"""`python -m kinds`: loads the packages that BUCATINI_JOBS names, and nothing else. One that can't be is named on stderr, with
exit code 1."""

import sys

from infrastructure.settings import SettingsInvalid
from infrastructure.settings import load as load_settings
from kinds.declaration import JobInvalid
from kinds.loading import load


def main() -> None:
    try:
        load(load_settings())
    except (JobInvalid, SettingsInvalid) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""What can be a provider's key at all: the SDKs put it into a header as it is."""

import re
from typing import Final

from pydantic import SecretStr

MAX_KEY_CHARACTERS: Final = 2_000
USABLE_KEY: Final = re.compile(rf"[!-~]{{1,{MAX_KEY_CHARACTERS}}}")


def is_usable_key(key: SecretStr) -> bool:
    return USABLE_KEY.fullmatch(key.get_secret_value()) is not None

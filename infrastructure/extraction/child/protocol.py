"""What a worker and its fork server say to each other."""

import struct
from typing import Final

READY: Final = b"R"
"""From the server, once: it takes orders."""
FORK: Final = b"F"
"""To the server, with two sockets: the child's channel, and its lifeline."""
STATUS: Final = struct.Struct("!i")
"""Back over a lifeline when its child was reaped: the status as `os.waitpid` has it."""

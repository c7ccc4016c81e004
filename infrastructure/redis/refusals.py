"""Redis's errors as sentences that tell an operator what to do."""

import re

from redis.exceptions import AuthenticationError, RedisError, ResponseError

REASONS = {
    "OOM": "Redis is full: raise its maxmemory, or delete what isn't ours",
    "MISCONF": "Redis can't write to its disk: free some space there, and see its log",
    "READONLY": "Redis is a replica, which takes no writes: point REDIS_URL at its master",
    "MASTERDOWN": "Redis is a replica that has lost its master: point REDIS_URL at a master",
    "NOREPLICAS": "Redis has fewer replicas than its min-replicas-to-write wants: start them",
    "LOADING": "Redis is loading its data: it answers once that is done",
    "BUSY": "Redis is busy with a script that doesn't end: end it by SCRIPT KILL",
    "UNKILLABLE": "Redis is busy with a script that has written and can't be killed: SHUTDOWN NOSAVE ends it",
    "NOAUTH": "Redis wants a password: put it into REDIS_URL",
    "WRONGPASS": "Redis refuses the password or the user in REDIS_URL",
    "NOPERM": "Redis's user in REDIS_URL may not do what is needed: allow it all commands on all keys and channels",
    "CLUSTERDOWN": "Redis's cluster doesn't serve our slot: see CLUSTER INFO",
    "TRYAGAIN": "Redis's cluster moves our slot to another server: that ends by itself",
    "MOVED": "Redis's cluster has our slot on another server: begin REDIS_URL with cluster://",
    "CROSSSLOT": "Redis is a cluster: begin REDIS_URL with cluster://",
    "UNBLOCKED": "Redis has just become a replica, which takes no writes",
}
UNREACHABLE = "Redis can't be reached"
_CODE = re.compile(r"-?\b([A-Z]{4,}|OOM)\b")


def reason(error: BaseException) -> str:
    """A sentence for any of the client's FAULTS. It quotes nothing of the server but the code of an unknown error."""
    if isinstance(error, AuthenticationError) and code_of(error) not in REASONS:
        return REASONS["WRONGPASS"]
    code = code_of(error)
    if code in REASONS:
        return REASONS[code]
    if isinstance(error, ResponseError):
        return f"Redis refuses a command ({code or 'ERR'}): see its log"
    return f"{UNREACHABLE} ({type(error).__name__})"


def is_refusal(error: BaseException) -> bool:
    """Whether Redis answered with an error; False when it is unreachable or doesn't answer."""
    return isinstance(error, ResponseError) or bool(code_of(error))


def code_of(error: BaseException) -> str:
    """Redis's error code, such as `READONLY`; empty where there is none.

    A script's error has it in the middle, and redis-py strips the codes it knows from the text.
    """
    if not isinstance(error, RedisError):
        return ""
    if error.status_code and error.status_code != "ERR":
        return str(error.status_code)
    known = [found for found in _CODE.findall(str(error)) if found in REASONS]
    return known[0] if known else ""

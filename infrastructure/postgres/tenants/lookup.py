"""Finds tenants for an operator, who types a name or the beginning of an id."""

from uuid import UUID

from infrastructure.postgres.session import Connection

MAX_FOUND = 6

_FIND = """
SELECT id, name FROM tenants WHERE name = %(typed)s OR id::text LIKE %(prefix)s ORDER BY name <> %(typed)s, id LIMIT %(limit)s
"""


async def tenants_like(connection: Connection, typed: str) -> list[tuple[UUID, str]]:
    """The tenant of that name, then those whose id begins so; MAX_FOUND at the most. For the system's role."""
    prefix = "".join(character for character in typed.lower() if character in "0123456789abcdef-")
    whole = prefix if prefix == typed.lower() else ""
    wanted = {"typed": typed, "prefix": f"{whole}%" if whole else "", "limit": MAX_FOUND}
    found = await connection.execute(_FIND, wanted)
    return [(row[0], row[1]) for row in await found.fetchall()]

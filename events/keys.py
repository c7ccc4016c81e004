"""Events of a tenant's data keys."""

from typing import ClassVar

from events.envelope import Commands, DomainEvent
from schemas.keys import RotateKeys


class KeysRotated(DomainEvent):
    """All the tenant's data is encrypted under the new key; fires once per rotation, at its end. It doesn't mean that older
    backups are under the new key."""

    type: ClassVar[str] = "keys.rotated"
    result_of: ClassVar[Commands] = (RotateKeys,)

    old_version: int | None
    """None when the tenant had no key before."""
    new_version: int
    rows_reencrypted: int
    """A row with several sealed values counts once for each."""
    conflicts: int
    """Rows that were updated concurrently with their re-encryption; the concurrent update was kept."""

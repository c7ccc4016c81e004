"""What happens to a tenant's keys."""

from typing import ClassVar

from events.envelope import DomainEvent


class KeysRotated(DomainEvent):
    """The tenant's data is under the new key, and nothing is left under an older one: once a rotation, at its end. It
    doesn't mean that backups made before are under the new key."""

    type: ClassVar[str] = "keys.rotated"

    old_version: int | None
    """None when the tenant had no key before."""
    new_version: int
    rows_reencrypted: int
    conflicts: int
    """Rows that a live writer rewrote in the moment of their re-encryption; the writer's content stands."""

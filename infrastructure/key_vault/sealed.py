"""A sealed value and the cell it belongs to. Loads no cryptography, so that every package may import it."""

from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID


class DecryptionFailed(Exception):
    """The value can't be opened here: it was changed, moved from another cell, or its key is gone.

    The error gives no details on purpose. Compare the cell's history with a backup.
    """

    def __init__(self) -> None:
        super().__init__("a sealed value can't be opened")


@dataclass(frozen=True, slots=True)
class Cell:
    """The place of a sealed value: it can be opened for this cell only."""

    tenant_id: UUID
    table: str
    column: str
    row: str


class Sealed:
    """Ciphertext on its way to or from a column. Whoever prints, formats, pickles or encodes it gets an error instead
    of a value that looks like text."""

    __slots__ = ("_ciphertext",)

    def __init__(self, ciphertext: bytes) -> None:
        self._ciphertext = ciphertext

    @property
    def ciphertext(self) -> bytes:
        """For the column only."""
        return self._ciphertext

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._ciphertext == other._ciphertext

    def __hash__(self) -> int:
        return hash(self._ciphertext)

    def __repr__(self) -> str:
        return f"<Sealed, {len(self._ciphertext)} bytes>"

    def __str__(self) -> NoReturn:
        raise TypeError("a sealed value has no text; open it first")

    def __format__(self, specification: str) -> NoReturn:
        raise TypeError("a sealed value has no text; open it first")

    def __bytes__(self) -> NoReturn:
        raise TypeError("a sealed value isn't its ciphertext; ask for that by name")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a sealed value isn't copied or pickled; pass it as it is")

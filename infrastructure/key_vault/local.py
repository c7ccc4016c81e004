"""The embedded vault: one RSA key in a file that only its owner may read."""

import asyncio
import hashlib
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from infrastructure.ports import Unavailable
from infrastructure.ports.keys import WrappedKey

MASTER_KEY_BITS = 3_072
MASTER_KEY_FILE = "master.pem"

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class MasterKeyUnusable(Unavailable):
    """The master key's file is damaged or open to others. Every tenant's keys depend on it: follow the message."""


class LocalKeyVault:
    """Wraps with RSA-OAEP-256, as the real vault does. Any number of processes may share its folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / MASTER_KEY_FILE
        self._master: rsa.RSAPrivateKey | None = None
        self._loading = asyncio.Lock()

    async def wrap(self, key: bytes) -> WrappedKey:
        master = await self._loaded()
        return WrappedKey(_id_of(master), master.public_key().encrypt(key, _OAEP))

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        master = await self._loaded()
        if wrapped.master_key_id != _id_of(master):
            raise Unavailable(
                f"the local vault has master key {_id_of(master)}, but this tenant's key was wrapped by "
                f"{wrapped.master_key_id}; put that one's {MASTER_KEY_FILE} back"
            )
        try:
            return await asyncio.to_thread(master.decrypt, wrapped.ciphertext, _OAEP)
        except ValueError:
            raise Unavailable("the local vault can't unwrap a tenant's key: the stored copy is damaged") from None

    async def _loaded(self) -> rsa.RSAPrivateKey:
        async with self._loading:
            if self._master is None:
                self._master = await asyncio.to_thread(_load_or_create, self._file)
            return self._master


def _load_or_create(file: Path) -> rsa.RSAPrivateKey:
    if not file.exists():
        _create(file)
    return _load(file)


def _create(file: Path) -> None:
    """Makes the file whole or not at all; of several processes that try at once, one wins and all use its key."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=MASTER_KEY_BITS)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
            writer.write(text)
            writer.flush()
            os.fsync(writer.fileno())
        os.link(unfinished, file)
        _sync_folder(file.parent)
    except FileExistsError:
        pass
    except OSError as error:
        raise MasterKeyUnusable(f"the local vault can't create {file}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(file: Path) -> rsa.RSAPrivateKey:
    try:
        with file.open("rb") as reader:
            mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode)
            text = reader.read()
    except OSError as error:
        raise MasterKeyUnusable(f"the local vault can't read {file}: {error.strerror}") from None
    if mode & 0o077:
        raise MasterKeyUnusable(f"others may read {file} (mode {mode:04o}); run chmod 600 on it")
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise MasterKeyUnusable(f"{file} holds no RSA key; put the right file back from a backup")
    return key


def _id_of(master: rsa.RSAPrivateKey) -> str:
    public = master.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "local:" + hashlib.sha256(public).hexdigest()[:32]

"""Deliveries go to the very address that was checked, over real sockets, and take a bounded time."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infrastructure.key_vault.local import LocalKeyVault
from infrastructure.ports.webhooks import Answered, Message, NotReached, Sent
from infrastructure.webhooks import sender as sender_module
from infrastructure.webhooks.sender import Sender
from infrastructure.webhooks.signing import Signer, make_secret
from infrastructure.webhooks.ssrf import Resolve

NAME = "receiver.example"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Names:
    """A resolver that answers what it is told, and something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self._answers.pop(0)


def test_a_delivery_connects_to_the_address_it_checked_with_the_name_its_certificate_has(tmp_path: Path) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])

    async def deliver() -> tuple[Sent, Sent]:
        async with _served(OK, tmp_path, tls=True) as port:
            url = f"https://{NAME}:{port}/"
            return await _send(tmp_path, url, names), await _send(tmp_path, url, names)

    first, second = asyncio.run(deliver())
    # Nobody else could have found this name, so the connection was made to what the resolver had said.
    assert isinstance(first, Answered), first
    assert names.asked == 2, "each delivery asks once, and once only"
    assert isinstance(second, NotReached)
    assert second.problem.name == "receiver-refused"


def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    async def deliver() -> Sent:
        async with _served(OK, tmp_path, tls=True) as port:
            return await _send(tmp_path, f"https://other.example:{port}/", Names(["127.0.0.1"]))

    sent = asyncio.run(deliver())
    assert isinstance(sent, NotReached)
    assert sent.problem.name == "receiver-unreachable"


@pytest.mark.parametrize(
    "answer", [["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["fe80::1%eth0"]]
)
def test_a_name_with_one_address_inside_is_refused_whole(tmp_path: Path, answer: list[str]) -> None:
    sent = asyncio.run(_send(tmp_path, f"https://{NAME}/", Names(answer), loopback_allowed=False))

    assert isinstance(sent, NotReached)
    assert sent.problem.name == "receiver-refused"


def test_a_name_without_an_address_is_a_receiver_that_cant_be_reached(tmp_path: Path) -> None:
    sent = asyncio.run(_send(tmp_path, f"https://{NAME}/", Names([])))

    assert isinstance(sent, NotReached)
    assert sent.problem.name == "receiver-unreachable"


def test_a_silent_receiver_costs_a_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "ANSWER_SECONDS", 0.2)

    async def deliver() -> Sent:
        async with _served(b"HTTP/1.1 200 OK\r\n", tmp_path) as port:
            return await _send(tmp_path, f"http://127.0.0.1:{port}/", Names(["127.0.0.1"]))

    sent = asyncio.run(deliver())
    assert isinstance(sent, NotReached)
    assert sent.problem.name == "receiver-too-slow"


def test_what_a_receiver_asks_for_comes_with_its_answer(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nno"

    sent = asyncio.run(_answered(tmp_path, answer))

    assert isinstance(sent, Answered)
    assert (sent.status, sent.size_bytes, sent.retry_after_seconds) == (503, 2, 7.0)


@pytest.mark.parametrize(
    "body", [b"content-length: 1000\r\n\r\nslow", b"transfer-encoding: chunked\r\n\r\n4\r\nslow\r\nnonsense\r\n"]
)
def test_a_receiver_that_said_yes_and_then_dawdles_has_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(sender_module, "ANSWER_SECONDS", 0.3)

    sent = asyncio.run(_answered(tmp_path, b"HTTP/1.1 200 OK\r\n" + b"x-padding: yes\r\n" * 200 + body))

    assert isinstance(sent, Answered), sent
    assert (sent.status, sent.size_bytes) == (200, 4)


async def _answered(folder: Path, answer: bytes) -> Sent:
    async with _served(answer, folder) as port:
        return await _send(folder, f"http://127.0.0.1:{port}/", Names(["127.0.0.1"]))


async def _send(folder: Path, url: str, names: Resolve, *, loopback_allowed: bool = True) -> Sent:
    vault = LocalKeyVault(folder / "keys")
    message = Message(url, "event:1", b"{}", (await vault.wrap(make_secret()),))
    certificates = ssl.create_default_context(cafile=_certificate(folder)[0])
    async with Sender(
        Signer(vault),
        now=lambda: datetime.now(UTC),
        loopback_allowed=loopback_allowed,
        resolve=names,
        certificates=certificates,
    ) as sender:
        return await sender.send(message)


@asynccontextmanager
async def _served(answer: bytes, folder: Path, *, tls: bool = False) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(answer)
        await writer.drain()
        await reader.read()
        writer.close()

    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*_certificate(folder))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) of the name, made once for each folder."""
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    if not certificate_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return certificate_file, key_file

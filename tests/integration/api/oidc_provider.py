"""An OpenID Connect provider on a real socket: it signs, rotates its keys, counts who asks, and may be away."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "bucatini"


class Provider:
    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._private: dict[str, tuple[str, Any]] = {}
        self.jwks: list[dict[str, Any]] = []
        self.rotate("first", "RS256")

    def rotate(self, key_id: str, algorithm: str, *, beside: bool = False, rsa_bits: int = 2_048) -> None:
        """From now on it has this key, alone or beside the others."""
        private, public = _pair(algorithm, rsa_bits)
        self._private[key_id] = (algorithm, private)
        self.jwks = [*(self.jwks if beside else ()), {**public, "kid": key_id, "use": "sig", "alg": algorithm}]

    def signed(self, header: bytes, claims: bytes, key_id: str = "first") -> str:
        """A token with this very header and these very claims, whatever they are, under our good signature."""
        _, private = self._private[key_id]
        text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims))
        signature = private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()

    def token(self, key_id: str = "first", *, without: str = "", **claims: Any) -> str:
        algorithm, private = self._private[key_id]
        told = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "anna",
            "exp": int(time.time()) + 300,
            "scope": "openid jobs:read jobs:write",
            **claims,
        }
        told.pop(without, None)
        return jwt.encode(told, private, algorithm=algorithm, headers={"kid": key_id})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                configuration = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys"}
                found = {"/keys": {"keys": provider.jwks}, "/.well-known/openid-configuration": configuration}
                body = json.dumps(found.get(self.path, {})).encode()
                self.send_response(503 if provider.away else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
                """Says nothing."""

        return Handler

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="issuer", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pair(algorithm: str, rsa_bits: int = 2_048) -> tuple[Any, dict[str, Any]]:
    match algorithm:
        case "ES256":
            private_ec = ec.generate_private_key(ec.SECP256R1())
            return private_ec, ECAlgorithm.to_jwk(private_ec.public_key(), as_dict=True)
        case "EdDSA":
            private_ed = ed25519.Ed25519PrivateKey.generate()
            return private_ed, OKPAlgorithm.to_jwk(private_ed.public_key(), as_dict=True)
        case _:
            private_rsa = rsa.generate_private_key(public_exponent=65_537, key_size=rsa_bits)
            return private_rsa, RSAAlgorithm.to_jwk(private_rsa.public_key(), as_dict=True)

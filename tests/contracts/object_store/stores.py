"""The object stores under contract, real ones, each with a look behind it: at what it keeps and never lists."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
from moto.server import ThreadedMotoServer

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.s3 import Address, S3ObjectStore
from infrastructure.ports.objects import ObjectStore

REGION = "us-east-1"
BUCKET = "objects"
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding"}


@dataclass(frozen=True, slots=True)
class UnderTest:
    store: ObjectStore
    leftovers: Callable[[], list[str]]
    """What is kept of objects that aren't whole."""
    endpoint: str = ""


StoreAdapter = Callable[[Path], AbstractContextManager[UnderTest]]


@contextmanager
def files(folder: Path) -> Iterator[UnderTest]:
    def leftovers() -> list[str]:
        return [path.name for path in folder.rglob("*") if path.is_file() and "." in path.name]

    yield UnderTest(FileStore(folder / "objects"), leftovers)


@contextmanager
def s3(folder: Path) -> Iterator[UnderTest]:
    """A real server of S3's protocol on a real socket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        httpx.post(f"{endpoint}/moto-api/reset", trust_env=False)
        httpx.put(f"{endpoint}/{BUCKET}", trust_env=False).raise_for_status()

        def leftovers() -> list[str]:
            uploads = httpx.get(f"{endpoint}/{BUCKET}?uploads", trust_env=False).text
            return uploads.split("<UploadId>")[1:]

        yield UnderTest(S3ObjectStore(address_of(endpoint)), leftovers, endpoint)
    finally:
        server.stop()


def address_of(endpoint: str) -> Address:
    return Address(BUCKET, "jobs", REGION, endpoint, "test", "test")


@contextmanager
def failing(endpoint: str, requests: str) -> Iterator[str]:
    """An endpoint that passes everything on to that one, and answers 500 to requests whose line has that text."""

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            if requests in self.requestline:
                answer = httpx.Response(500)
            else:
                answer = httpx.request(
                    self.command, endpoint + self.path, content=body, headers=headers, trust_env=False
                )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PUT = do_POST = do_DELETE = pass_on

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()

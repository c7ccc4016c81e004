"""A proxy before the server that rejects some bulk requests, as a server with a full queue does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from infrastructure.local_stack.servers.loopback import LOOPBACK

REJECTED = {"error": {"type": "es_rejected_execution_exception", "reason": "rejected execution"}, "status": 429}


@contextmanager
def rejecting(url: str, *, rejections: int) -> Iterator[str]:
    """The first so many bulk requests are rejected: every other one as a whole, and of the rest every second item, though
    the server has taken it. Yields the proxy's URL."""
    left = [rejections]
    counting = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with counting:
                rejected = left[0] if "_bulk" in self.path and left[0] else 0
                left[0] -= bool(rejected)
            if rejected % 2:
                self._answer(429, json.dumps(REJECTED).encode(), "application/json")
                return
            headers = {name: self.headers[name] for name in ("accept", "content-type") if name in self.headers}
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
                answer = http.request(self.command, self.path, content=body, headers=headers)
            content = answer.content
            if rejected:
                content = _half_rejected(content)
            self._answer(answer.status_code, content, answer.headers.get("content-type", "application/json"))

        def _answer(self, status: int, content: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("X-elastic-product", "Elasticsearch")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _half_rejected(content: bytes) -> bytes:
    answer = json.loads(content)
    for item in answer["items"][::2]:
        (result,) = item.values()
        result |= {"status": 429, "error": REJECTED["error"]}
    return json.dumps(answer).encode()

"""`python -m tests.receiver FILE`: a webhook receiver in a process of its own. It notes all it gets, a line of JSON each,
and answers as its path ends: `/200`, `/410`, `/500-2-200` (500 twice, then 200), `/slow`, `/away` (a redirect), `/odd` (503,
with a Retry-After that no calendar has)."""

import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

SLOW_SECONDS = 60.0


class Receiver(BaseHTTPRequestHandler):
    file: ClassVar[Path]
    seen: ClassVar[Counter[str]] = Counter()
    writing: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # Its sender was killed on the way: nothing was received.
            return
        self._note(body)
        if self.path.endswith("/slow"):
            threading.Event().wait(SLOW_SECONDS)
        status = self._status()
        self.send_response(status)
        if status == 302:
            self.send_header("location", "200")
        if status == 503:
            odd = "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"
            self.send_header("retry-after", odd if self.path.endswith("/odd") else "1")
        answer = b"the answer quotes a secret" * 100_000 if self.path.endswith("/endless") else b"noted"
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _note(self, body: bytes) -> None:
        noted = {"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}}
        with self.writing, self.file.open("a") as file:
            file.write(json.dumps({**noted, "body": body.decode()}) + "\n")

    def _status(self) -> int:
        match self.path.rpartition("/")[2].split("-"):
            case [first, times, then]:
                with self.writing:
                    self.seen[self.path] += 1
                    return int(first if self.seen[self.path] <= int(times) else then)
            case ["away"]:
                return 302
            case ["odd"]:
                return 503
            case [status] if status.isdigit():
                return int(status)
            case _:
                return 200

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        return


def main() -> None:
    Receiver.file = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    print(f"ready: {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A door that answers what a test wants, and keeps what it was asked."""

import gzip
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


def plain(headers, body):
    return gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body


def accepting(body, headers):
    """The answer of a door that takes everything."""
    count = len(plain(headers, body).splitlines())
    return 202, {}, {"accepted": count, "rejected": 0, "batch_id": "1", "errors": [], "ack": headers.get("Zero-Ack", "")}


class Door(ThreadingHTTPServer):
    """Answers from a list of (status, headers, body), then accepts; holds its answers while ``hold`` is clear."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers, self.asked, self.hold = [], [], threading.Event()
        self.hold.set()

    scheme = "http"

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def encrypt(self, certificate, key):
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket, self.scheme = context.wrap_socket(self.socket, server_side=True), "https"

    def entries(self):
        """What was posted, once for each key."""
        bodies = {headers["Idempotency-Key"]: plain(headers, body) for _, headers, body in self.asked}
        return [json.loads(line) for body in bodies.values() for line in body.splitlines()]


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.hold.wait(30)
        status, headers, answer = self.server.answers.pop(0) if self.server.answers else accepting(body, self.headers)
        if status == 0:
            self.close_connection = True
            return
        data = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def door():
    with Door() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()

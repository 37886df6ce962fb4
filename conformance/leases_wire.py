"""A listener on the wire between the guard and a server: it writes down every request, and a test may step in."""

import http.client
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What belongs to one connection and not to the request.
HOP = {"connection", "keep-alive", "transfer-encoding", "host", "proxy-connection"}


@dataclass
class Request:
    """What the guard asked for; `status` is what it was told."""

    method: str
    path: str
    query: dict
    headers: dict
    status: int = 0

    @property
    def blob(self):
        """The path after the account and the container."""
        parts = urllib.parse.unquote(self.path).split("/", 3)
        return parts[3] if len(parts) > 3 else ""

    @property
    def lease_action(self):
        return self.headers.get("x-ms-lease-action") if self.query.get("comp") == "lease" else None


class Wire:
    """Forwards to `origin` (http). `before`, where it is set, sees each request before the server does; what it returns
    (status, headers) is the answer in the server's place."""

    def __init__(self, origin):
        self.target = urllib.parse.urlsplit(origin).netloc
        self.seen, self.before, self.lock = [], None, threading.Lock()
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

            def forward(self):
                wire.forward(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = forward

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, handler):
        parts = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        query.pop("sig", None)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, parts.path, query, headers)
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        with self.lock:
            self.seen.append(request)
            answer = self.before(request) if self.before else None
        if answer:
            request.status, given = answer
            self.reply(handler, request.status, given, b"")
            return
        # A connection for each request: so none stays open that looks like somebody's who uses the blob.
        server = http.client.HTTPConnection(self.target, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name not in HOP}
            server.request(handler.command, handler.path, body=body or None, headers=kept)
            reply = server.getresponse()
            request.status, content = reply.status, reply.read()
            given = {name: value for name, value in reply.getheaders() if name.lower() not in HOP}
            self.reply(handler, reply.status, given, content)
        finally:
            server.close()

    def reply(self, handler, status, headers, content):
        handler.send_response_only(status)
        headers = {name.lower(): value for name, value in headers.items()}
        if handler.command != "HEAD" or "content-length" not in headers:
            headers["content-length"] = str(len(content))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

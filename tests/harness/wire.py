"""HTTP/1.1 as the emulated services speak it: requests are kept as they came, octet for octet,
since their signatures are checked; answers may be delivered in every broken way that a network has."""

import socket
import socketserver
import ssl
import threading
import urllib.parse

PATIENCE = 60  # seconds that a connection may be silent


class Request:
    """One request as it came: `target` is what stood in the request line; header names in lower
    case, in order, repeated ones kept apart."""

    def __init__(self, method, target, headers, body=b"", connection=None):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.connection = connection  # the socket that it came by
        self.path, _, self.query = target.partition("?")

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key == name), default)

    def wants_close(self):
        return self.header("connection", "").lower() == "close"

    def query_pairs(self):
        """The query, decoded: an ordered list of (name, value)."""
        return [(urllib.parse.unquote(name), urllib.parse.unquote(value)) for name, _, value in
                (each.partition("=") for each in self.query.split("&") if each)]

    def query_value(self, name, default=None):
        return next((value for key, value in self.query_pairs() if key == name), default)


class Response:
    """`delivery` is None, or one of DELIVERIES. With `stream`, an iterable of octets, the body is
    chunked, a chunk a piece as it comes; an OSError out of it breaks the connection there."""

    def __init__(self, status=200, headers=(), body=b"", delivery=None, stream=None):
        self.status, self.headers, self.delivery = status, list(headers), delivery
        self.stream = stream
        self.body = body.encode() if isinstance(body, str) else body

    def set(self, name, value):
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        self.headers.append((name, value))


DELIVERIES = ("hang", "reset", "slow", "truncated", "wrong-length")

_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 304: "Not Modified",
            400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
            405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict", 410: "Gone",
            412: "Precondition Failed", 415: "Unsupported Media Type",
            422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error",
            503: "Service Unavailable", 504: "Gateway Timeout"}


class _Connection(socketserver.StreamRequestHandler):
    timeout = PATIENCE
    disable_nagle_algorithm = True

    def handle(self):
        self.server.opened(self.connection)
        try:
            while request := self._read():
                response = self.server.answer(request)
                if not self._deliver(request, response):
                    return
        except (OSError, ValueError):
            pass  # a client that gives up, or that speaks no HTTP, is part of the tests
        finally:
            self.server.closed(self.connection)

    def _read(self):
        line = self.rfile.readline(65536)
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split()
        headers = []
        while (line := self.rfile.readline(65536)) not in (b"\r\n", b"\n"):
            if not line:
                return None
            name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
            headers.append((name.lower(), value.rstrip("\r\n").strip(" \t")))
        request = Request(method, target, headers, connection=self.connection)
        if request.header("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in request.header("transfer-encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                request.body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            request.body = self.rfile.read(int(request.header("content-length", "0")))
        return request

    def _deliver(self, request, response):
        """Whether the connection is good for another request."""
        if response.delivery == "hang":
            self.server.stopped.wait(PATIENCE)
            return False
        if response.delivery == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        head = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}"]
        head += [f"{name}: {value}" for name, value in response.headers]
        if response.stream is not None:
            return self._stream(head, response) and not request.wants_close()
        body, length = response.body, len(response.body)
        if response.delivery == "wrong-length":
            length = max(length - 3, 0)
        if response.status not in (204, 304) and not any(
                name.lower() == "content-length" for name, _ in response.headers):
            head.append(f"Content-Length: {length}")
        if request.method == "HEAD" or response.status in (204, 304):
            body = b""
        if response.delivery == "truncated":
            body = body[:len(body) // 2]
        out = "\r\n".join(head).encode("utf-8") + b"\r\n\r\n" + body
        self._write(out, response.delivery == "slow")
        return (response.delivery not in ("truncated", "wrong-length")
                and not request.wants_close())

    def _stream(self, head, response):
        slow = response.delivery == "slow"
        try:
            self._write("\r\n".join([*head, "Transfer-Encoding: chunked", "", ""]).encode(), slow)
            for piece in response.stream:
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece), slow)
            self._write(b"0\r\n\r\n", slow)
        finally:
            getattr(response.stream, "close", lambda: None)()
        return True

    def _write(self, out, slow):
        if not slow:
            self.connection.sendall(out)
            return
        for at in range(len(out)):
            self.connection.sendall(out[at:at + 1])
            if self.server.stopped.wait(self.server.pause):
                raise ConnectionAbortedError


class HttpServer(socketserver.ThreadingTCPServer):
    """Answers each request with what `answer(Request)` gives, each connection in its own thread;
    over TLS with an Authority (harness.certificates), or with an ssl.SSLContext."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, answer, address="127.0.0.1", port=0, authority=None,
                 context=None):
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, port), _Connection)
        self.answer, self.pause, self.stopped = answer, 0.001, threading.Event()
        self._tls, self._open, self._lock = context, set(), threading.Lock()
        if authority:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(authority.certificate, authority.key)
        self.address, self.port = self.server_address[:2]
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if self._tls else 'http'}://{host}:{self.port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client_address):
        if self._tls:  # in the connection's own thread: a slow client holds up nobody else
            request = self._tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self._tls:
            request.close()

    def shutdown_request(self, request):
        self.close_request(request)  # without a FIN of its own, so that a reset stays one

    def opened(self, connection):
        with self._lock:
            self._open.add(connection)

    def closed(self, connection):
        with self._lock:
            self._open.discard(connection)

    def handle_error(self, request, client_address):
        pass  # a handshake that fails is the client's affair

    def close(self):
        """No more connections, and none that stays open: as a host that is switched off."""
        self.stopped.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def server_close(self):
        self.socket.close()  # the threads of its connections are not waited for

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

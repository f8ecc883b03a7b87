"""Origins on loopback: a plain TCP one that a test drives by hand, and an HTTP one, clear or TLS."""

import http.server
import socket
import ssl
import threading

from .process import PATIENCE


class TcpOrigin:
    """Listens; accept() hands out the connections in the order in which they came."""

    def __init__(self, address="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(128)
        self.port = self._listener.getsockname()[1]

    def accept(self, patience=PATIENCE):
        self._listener.settimeout(patience)
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        return connection

    def was_connected(self):
        """Whether there is a connection that accept() has not handed out."""
        self._listener.setblocking(False)
        try:
            self._listener.accept()[0].close()
            return True
        except BlockingIOError:
            return False

    def close(self):
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Seen:
    """One request as the origin read it."""

    def __init__(self, handler, body):
        self.method, self.target, self.version = handler.command, handler.path, handler.request_version
        self.headers, self.body = handler.headers, body


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "origin", ""

    def log_message(self, *_):
        pass

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _serve(self):
        seen = Seen(self, self._body())
        self.server.seen.append(seen)
        answer = self.server.answer(seen)
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        chunks = None if isinstance(body, bytes) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if chunks is None:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _serve


class HttpOrigin(http.server.ThreadingHTTPServer):
    """Answers every request with `answer(seen)`: a body, or (status, headers, body); a body that
    is no bytes is an iterable of chunks. With an Authority, over TLS. `seen` has the requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer, authority=None, address="127.0.0.1", port=0):
        super().__init__((address, port), _Handler)
        self.answer, self.seen, self._tls = answer, [], None
        if authority:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(authority.certificate, authority.key)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client_address):
        if self._tls:  # in the connection's own thread: a slow client holds up nobody else
            request = self._tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self._tls:
            try:
                request.unwrap()
            except OSError:
                pass
            request.close()

    def handle_error(self, request, client_address):
        pass  # clients that give up are part of the tests

    def close(self):
        self.shutdown()
        self.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

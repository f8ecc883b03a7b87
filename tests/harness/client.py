"""A client of the gateway that a test drives by hand: requests over one connection, and tunnels."""

import http.client
import socket

from .process import PATIENCE


class Response:
    """`status`, `phrase`, `headers` (as http.client has them) and, where it was read, `body`."""

    def __init__(self, response, body):
        self.status, self.phrase, self.headers = response.status, response.reason, response.headers
        self.body = body


class _Exactly:
    """A socket as a file of which no more is read than is asked for, so that the octets behind a
    response stay in the socket."""

    closed = False

    def __init__(self, sock):
        self._sock = sock

    def read(self, size=-1):
        got = b""
        while size < 0 or len(got) < size:
            piece = self._sock.recv(65536 if size < 0 else size - len(got))
            if not piece:
                break
            got += piece
        return got

    def readline(self, limit):
        line = b""
        while not line.endswith(b"\n") and len(line) < limit:
            ahead = self._sock.recv(limit - len(line), socket.MSG_PEEK)
            if not ahead:
                break
            line += self._sock.recv(ahead.find(b"\n") + 1 or len(ahead))
        return line

    def close(self):
        pass

    flush = close


class Client:
    """One connection, `to` an (address, port), `source` being where it comes from."""

    def __init__(self, to, source=None):
        self.sock = socket.create_connection(to, timeout=PATIENCE,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.sock.sendall(data)

    def request(self, method, target, body=b"", **fields):
        """Sends a request head, and its body. Names of fields are written with `_` for `-`."""
        lines = [f"{method} {target} HTTP/1.1"]
        if "Host" not in fields:
            lines.append("Host: " + target.removeprefix("http://").partition("/")[0])
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def response(self, method="GET"):
        """The next response, whole. Raises ConnectionError where the connection ends first."""
        response = http.client.HTTPResponse(self.sock, method=method)
        response.fp.close()
        response.fp = _Exactly(self.sock)
        try:
            response.begin()
            body = b"" if method == "CONNECT" and response.status == 200 else response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no whole response: {error!r}") from error
        return Response(response, body)

    def get(self, url, **fields):
        self.request("GET", url, **fields)
        return self.response()

    def connect(self, authority):
        """Asks for a tunnel; with a status of 200 this connection is it."""
        self.request("CONNECT", authority)
        return self.response("CONNECT")

    def receive(self, size):
        """So many octets, or fewer where the stream ends."""
        got = b""
        while len(got) < size:
            piece = self.sock.recv(size - len(got))
            if not piece:
                break
            got += piece
        return got

    def end(self):
        """How the stream ends, what comes before it read away: "closed" or "reset"."""
        try:
            while self.sock.recv(65536):
                pass
            return "closed"
        except ConnectionResetError:
            return "reset"

    def is_open(self):
        """Whether nothing has come, and no end."""
        self.sock.setblocking(False)
        try:
            self.sock.recv(1, socket.MSG_PEEK)
            return False
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.sock.settimeout(PATIENCE)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

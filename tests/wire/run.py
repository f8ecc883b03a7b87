"""Runs .wire files: a conversation, byte for byte, between scripted clients, the real gateway and
scripted origins. README.md has the format.

usage: run.py FILE...     EBBGATE_BINARY names the program under test"""

import json
import pathlib
import random
import re
import shlex
import signal
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer, NXDOMAIN, SERVFAIL  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.process import PATIENCE  # noqa: E402


class Failed(Exception):
    """What the gateway did is not what the script says."""


class Connection:
    """One side's socket, with what was received and not yet looked at, and the last head."""

    def __init__(self, sock):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.pending, self.head = sock, b"", None

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # that the gateway closed is for the next expectation to judge

    def _more(self):
        """Whether bytes came; False at the end of the stream. A reset is said to be one."""
        try:
            got = self.sock.recv(65536)
        except socket.timeout:
            raise Failed(f"nothing more came; pending: {self.pending!r}") from None
        except ConnectionResetError:
            raise Failed(f"the connection was reset; pending: {self.pending!r}") from None
        self.pending += got
        return bool(got)

    def take(self, size):
        while len(self.pending) < size and self._more():
            pass
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def take_until(self, end):
        while end not in self.pending:
            if not self._more():
                raise Failed(f"the stream ended before {end!r}; pending: {self.pending!r}")
        taken, _, self.pending = self.pending.partition(end)
        return taken

    def read_head(self):
        start, *fields = self.take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.head = [field.partition(":")[::2] for field in fields]
        return start

    def values(self, name):
        if self.head is None:
            raise Failed("no head was read yet")
        return [value.strip() for key, value in self.head if key.lower() == name.lower()]

    def expect_end(self):
        if self.pending or self._more():
            raise Failed(f"expected the end of the stream, got {self.pending!r}")

    def read_away(self):
        self.pending = b""
        while self._more():
            self.pending = b""


class Skipped(Exception):
    """This machine cannot run the script."""


class Script:
    """The words of the format, each a method that takes the rest of its line."""

    def __init__(self, path):
        self.path = path
        self.address = "127.0.0.1"
        self.flags, self.allow, self.zone, self.policy = [], [], {".test": Answer(self.address)}, ""
        self.loopback, self.origin_port = True, 0
        self.steps = []
        self.connections = {}
        self._read(path.read_text(encoding="utf-8"))

    # Reading the file.

    def _read(self, text):
        in_policy = False
        for number, line in enumerate(text.splitlines(), 1):
            if in_policy and line.startswith("  "):
                self.policy += line[2:] + "\n"
                continue
            in_policy = False
            if not line.strip() or line.startswith("#"):
                continue
            if line == "policy:":
                in_policy = True
            elif match := re.fullmatch(r"(gateway|allow|dns|loopback|origin): (.*)", line):
                self._setting(*match.groups())
            elif match := re.fullmatch(r"(client\w*|origin\w*|log|dns|gateway|pause) ?(.*)", line):
                self.steps.append((number, *match.groups()))
            else:
                raise SystemExit(f"{self.path}:{number}: not a line of the format: {line}")

    def _setting(self, name, value):
        if name == "gateway":
            self.flags += shlex.split(value)
        elif name == "allow":
            self.allow += value.split()
        elif name == "loopback":
            self.loopback = value != "refused"
        elif name == "origin":
            # An address of its own, since many scripts run at once.
            self.origin_port = int(value)
            self.address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
            self.zone = {".test": Answer(self.address)}
        else:
            host, *answer = value.split()
            codes = {"NXDOMAIN": Answer(code=NXDOMAIN), "SERVFAIL": Answer(code=SERVFAIL),
                     "TRUNCATED": Answer("127.0.0.1", truncated=True)}
            self.zone[host] = codes.get(answer[0]) or Answer(*answer)

    # Bytes: escapes, and {words} that stand for what is known at run time only.

    def _bytes(self, text):
        def expand(match):
            word, *arguments = match[1].split()
            if word == "port":
                return str(self.origin.port)
            if word == "gateway-port":
                return str(self.gateway.port)
            if word == "address":
                return f"{self.gateway.address}:{self.gateway.port}"
            if word == "hello":
                return self._hello(arguments).decode("latin-1")
            if word == "repeat":
                return arguments[1] * int(arguments[0])
            raise SystemExit(f"{self.path}: {{{match[1]}}} stands for nothing")

        # Escapes first: what is put in for a {word} is bytes already.
        raw = re.sub(r"\\(r|n|t|0|\\|x[0-9a-fA-F]{2})",
                     lambda m: {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}.get(
                         m[1]) or (chr(int(m[1][1:], 16)) if m[1][0] == "x" else "\0"),
                     text.encode("utf-8").decode("latin-1"))
        return re.sub(r"\{((?:port|gateway-port|address|hello|repeat)[^{}]*)\}", expand, raw).encode("latin-1")

    @staticmethod
    def _hello(arguments):
        names = [a.encode("latin-1") for a in arguments if "=" not in a and a[0] != "+"]
        options = dict(a.split("=") for a in arguments if "=" in a)
        extra = b"".join({"+ech": client_hello.ECH_OUTER, "+ech-inner": client_hello.ECH_INNER,
                          "+esni": client_hello.ESNI}[a] for a in arguments if a[0] == "+")
        message = client_hello.handshake(*names, extra=extra, padding=int(options.get("padding", 0)))
        return client_hello.records(message, int(options.get("record", 16384)))

    # Running it.

    def _origin(self):
        try:
            return TcpOrigin(self.address, self.origin_port)
        except PermissionError as error:
            raise Skipped(f"{self.path}: no origin on port {self.origin_port}: {error}") from error

    def run(self):
        with self._origin() as self.origin, DnsServer(self.zone) as self.dns:
            flags = [flag.replace("{port}", str(self.origin.port)) for flag in self.flags]
            if self.policy:
                document = tempfile.NamedTemporaryFile("w", suffix=".yaml")
                document.write(self.policy.replace("{port}", str(self.origin.port)))
                document.flush()
                flags += ["--policy", document.name]
            elif not self.allow:
                self.allow = [".test"]
            with Gateway(*flags, allow=self.allow, dns=self.dns, loopback=self.loopback) as gateway:
                self.gateway = gateway
                for number, actor, words in self.steps:
                    try:
                        self._step(actor, words)
                    except (Failed, OSError) as error:
                        raise Failed(f"{self.path}:{number}: {actor} {words}\n  {error}") from error
                if not gateway.is_running():
                    raise Failed(f"{self.path}: the gateway ended:\n" + "\n".join(gateway.err.all()))

    def _step(self, actor, words):
        if actor == "log":
            return self._log(words)
        if actor == "pause":
            return time.sleep(int(words.removesuffix("ms")) / 1000)
        if actor == "gateway":
            return self.gateway.signal({"stops": signal.SIGSTOP, "goes on": signal.SIGCONT}[words])
        if actor == "dns":
            return self._dns_untouched(words)
        if actor == "origin" and words == "untouched":
            if self.origin.was_connected():
                raise Failed("the origin was connected to")
            return None
        connection = self.connections.get(actor)
        if connection is None:
            sock = self.gateway.connect() if actor.startswith("client") else self.origin.accept()
            connection = self.connections[actor] = Connection(sock)
        for start, action in self.WORDS:
            if words.startswith(start):
                return action(self, connection, words[len(start):].removeprefix(" "))
        raise SystemExit(f"{self.path}: {actor} cannot '{words}'")

    def _log(self, words):
        if words.startswith("holds "):
            events = self.gateway.out.all()
            if len(events) != int(words.removeprefix("holds ")):
                raise Failed("there are the events:\n  " + "\n  ".join(events))
            return
        fields = {}
        for pair in shlex.split(words):
            name, _, value = pair.partition("=")
            fields[name] = self._bytes(value).decode()

        def matches(line):
            event = json.loads(line)
            return all(str(event.get(name)) == value for name, value in fields.items())

        if self.gateway.out.wait_for(matches) is None:
            raise Failed("no such event; there are:\n  " + "\n  ".join(self.gateway.out.all()))

    def _dns_untouched(self, words):
        name = words.removeprefix("not asked ").strip()
        if name in self.dns.names_asked():
            raise Failed(f"DNS was asked for {name}")

    def _send(self, connection, text):
        connection.send(self._bytes(text) + b"\r\n")

    def _send_raw(self, connection, text):
        connection.send(self._bytes(text))

    def _dribble(self, connection, text):
        data = self._bytes(text)
        for at in range(len(data)):
            connection.send(data[at:at + 1])

    def _read_line(self, connection, text):
        got, wanted = connection.take_until(b"\r\n"), self._bytes(text)
        if got != wanted:
            raise Failed(f"got {got!r}, wanted {wanted!r}")

    def _read_raw(self, connection, text):
        wanted = self._bytes(text)
        got = connection.take(len(wanted))
        if got != wanted:
            raise Failed(f"got {got!r}, wanted {wanted!r}")

    def _read_head(self, connection, text):
        start, wanted = connection.read_head(), self._bytes(text).decode("latin-1")
        # `403` is any reason phrase; a whole line is that line.
        seen = start.split(" ")[1] if re.fullmatch(r"\d{3}", wanted) else start
        if seen != wanted:
            raise Failed(f"got {start!r}, wanted {wanted!r}")

    def _has(self, connection, text):
        name, _, pattern = text.partition(":")
        pattern = self._bytes(pattern.strip()).decode("latin-1")
        values = connection.values(name)
        if not any(re.fullmatch(pattern, value) for value in values):
            raise Failed(f"{name} is {values or 'absent'}; the head has {connection.head}")

    def _lacks(self, connection, text):
        if values := connection.values(text):
            raise Failed(f"{text} is {values}")

    def _read_body(self, connection, text):
        (length,) = connection.values("Content-Length") or ["0"]
        body = connection.take(int(length))
        if not re.search(self._bytes(text), body):
            raise Failed(f"the body is {body!r}")

    def _alert(self, connection, text):
        header = connection.take(7)
        if len(header) < 7 or header[0] != 21 or header[3:6] != b"\0\x02\x02":
            raise Failed(f"not a fatal TLS alert: {header!r}")
        if header[6] != int(text):
            raise Failed(f"alert {header[6]}, wanted {text}")

    def _end(self, connection, _):
        connection.expect_end()

    def _closed(self, connection, _):
        connection.read_away()

    def _gone(self, connection, _):
        try:
            while connection.sock.recv(65536):
                raise Failed("it was answered")
        except ConnectionResetError:
            pass

    def _half_close(self, connection, _):
        connection.sock.shutdown(socket.SHUT_WR)

    def _close(self, connection, _):
        connection.sock.close()

    def _reset(self, connection, _):
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sock.close()

    # Longer beginnings first.
    WORDS = [("<head", _read_head), ("<body", _read_body), ("<alert", _alert), ("<end", _end),
             ("<closed", _closed), ("<gone", _gone), ("<|", _read_raw), ("<", _read_line), ("has", _has),
             ("lacks", _lacks), (">|", _send_raw), (">dribble", _dribble), (">", _send),
             ("half-close", _half_close), ("close", _close), ("reset", _reset)]


def main(paths):
    failed, skipped = False, 0
    for path in paths:
        try:
            Script(pathlib.Path(path)).run()
        except Skipped as why:
            print(f"skipped: {why}", file=sys.stderr)
            skipped += 1
        except (Failed, AssertionError) as error:
            print(error, file=sys.stderr)
            failed = True
    if failed:
        return 1
    return 77 if skipped == len(paths) else 0  # 77: skipped, to ctest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

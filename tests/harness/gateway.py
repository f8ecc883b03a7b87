"""The proxies under test as processes: the gateway, and Squid, which some tests ask as the oracle.
Both are started on a free port with an allowlist and a DNS server, and are ready when made."""

import json
import os
import pathlib
import re
import shutil
import socket
import tempfile

from .client import Client
from .process import Process, wait_until

BINARY = os.environ.get("EBBGATE_BINARY", str(
    pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "ebbgate"))


class Gateway(Process):
    """`ebbgate run` with the given flags. Its events come as JSON lines on standard output."""

    def __init__(self, *flags, allow=(), dns=None, allow_ports="1-65535", admin="off",
                 loopback=True, listen="127.0.0.1:0", workers="1", environment=None,
                 program=BINARY, **options):
        """`loopback`: origins on 127.0.0.0/8 are dialed, as nearly every test needs. What is None
        is given as no flag. `options` are those of Popen."""
        flags = [str(flag) for flag in flags]
        command = [program, "run"]
        for name, value in {"--listen": listen, "--admin": admin, "--log-format": "json",
                            "--workers": workers, "--drain-delay": "0s"}.items():
            if value is not None and name not in flags:
                command += [name, value]
        if loopback:
            command += ["--allow-private", "127.0.0.0/8"]
        if allow:
            command += ["--allow-port", allow_ports]
        for pattern in allow:
            command += ["--allow", pattern]
        if dns:
            command += ["--dns", dns.authority]
        super().__init__([*command, *flags], env={**os.environ, **(environment or {})}, **options)
        ready = self.err.wait_for(r"^ebbgate: ready")
        if ready is None:
            self.kill()
            raise AssertionError("the gateway did not become ready:\n" +
                                 "\n".join([" ".join(self.command), *self.err.all()]))
        # `ebbgate: ready listen=127.0.0.1:3128 admin=127.0.0.1:9901`
        self.listeners = {}
        for role, address, port in re.findall(r"([\w-]+)=(\S+):(\d+)", ready):
            self.listeners.setdefault(role, []).append((address.strip("[]"), int(port)))
        self.address, self.port = self.listeners["listen"][0]

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def connect(self):
        return socket.create_connection((self.address, self.port))

    def client(self, source=None):
        return Client((self.address, self.port), source)

    def page(self, path, listener="admin", **fields):
        """A page of the admin or the health listener."""
        with Client(self.listeners[listener][0]) as client:
            return client.get(path, Host="gateway", Connection="close", **fields)

    def metric(self, name):
        """The value of a metric; `name` has its labels, as `a_total{reason="denied"}`."""
        text = self.page("/metrics").body.decode()
        found = re.search("^" + re.escape(name) + " (.*)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def __exit__(self, *_):
        super().__exit__()
        # A sanitizer speaks up at once; the exit code is lost where the test ends it with a kill.
        found = [line for line in self.err.all() if "Sanitizer" in line or "runtime error" in line]
        if found:
            raise AssertionError("\n".join(self.err.all()))

    def events(self):
        return [json.loads(line) for line in self.out.all()]

    def wait_for_event(self, **fields):
        """The first event that has these fields; None where none comes."""
        line = self.out.wait_for(lambda text: fields.items() <= json.loads(text).items())
        return json.loads(line) if line else None


class Squid(Process):
    """Debian's squid-openssl as a plain forward proxy. `rules` are lines of its configuration, by
    default an allowlist (`allow`) of dstdomain entries. It asks the DNS server on port 53 of
    `nameserver`, as it can be told no other port."""

    PROGRAM = shutil.which("squid", path="/usr/sbin:/usr/bin")

    def __init__(self, allow=(), nameserver="127.0.0.1", rules=None, ports="1-65535"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ebbgate-squid-"))
        self.log = self.folder / "access.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.folder / "allow").write_text("".join(f"{entry}\n" for entry in allow))
        if rules is None:
            rules = [f'acl listed dstdomain "{self.folder}/allow"', f"acl ports port {ports}",
                     "http_access allow listed ports"]
        (self.folder / "squid.conf").write_text("\n".join([
            f"http_port 127.0.0.1:{self.port}",
            *rules,
            "http_access deny all",
            "cache deny all",
            f"dns_nameservers {nameserver}",
            "hosts_file none",
            "dns_timeout 2 seconds",
            "connect_timeout 5 seconds",
            f"access_log stdio:{self.log}",
            f"cache_log {self.folder}/cache.log",
            f"pid_filename {self.folder}/squid.pid",
            f"coredump_dir {self.folder}",
            "pinger_enable off",
            "shutdown_lifetime 0 seconds",
            "via on", ""]))
        if os.geteuid() == 0:  # it drops to this user itself
            shutil.chown(self.folder, "proxy", "proxy")
        super().__init__([self.PROGRAM, "-N", "-f", self.folder / "squid.conf"])
        self.address = "127.0.0.1"
        wait_until(self._accepts, what="Squid's listener")

    def _accepts(self):
        if not self.is_running():
            raise AssertionError("Squid ended:\n" + "\n".join(self.err.all()))
        try:
            self.connect().close()
            return True
        except ConnectionRefusedError:
            return False

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def connect(self):
        return socket.create_connection((self.address, self.port))

    def kill(self):
        super().kill()
        shutil.rmtree(self.folder, ignore_errors=True)

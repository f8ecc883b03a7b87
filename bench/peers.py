"""The proxies that are measured: how each is configured and started. All of them log every request
to a file, admit the same names and ports, and run one worker on the proxy's core."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

PROXY_CORE, LOAD_CORE = 1, 0
ALLOWED = ".bench.test"          # the one suffix of the short allowlist
ORIGIN_PORT = 8443

# Linux's clock of a whole process, its ended threads included, in nanoseconds.
_CPU_CLOCK = 2


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def pinned(core):
    """For a child process: keeps it on that core, and lets it not outlive this one."""
    def prepare():
        os.sched_setaffinity(0, {core})
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return prepare


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """One proxy under test. `suffixes` are domains whose sub-domains it admits."""

    name, mode = "", "proxy"

    def __init__(self, folder, suffixes=(ALLOWED,)):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o777)
        self.port = free_port()
        self.write_list(suffixes)
        self.configure()
        began = time.monotonic()
        self._output = open(self.folder / "output", "wb")
        self.process = subprocess.Popen(
            [str(part) for part in self.command()], stdin=subprocess.DEVNULL, stdout=self._output,
            stderr=subprocess.STDOUT, preexec_fn=pinned(PROXY_CORE))
        while not self.is_serving():
            if self.process.poll() is not None or time.monotonic() - began > 60:
                raise SystemExit(f"bench: {self.name} did not start; see {self.folder}/output")
            time.sleep(0.001)
        self.ready_seconds = time.monotonic() - began

    def is_serving(self):
        """Whether it takes connections, and lets pass what its list has."""
        if self.mode == "proxy":
            return self.admits("host-0000" + ALLOWED)
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def admits(self, name):
        """Whether a CONNECT to that name is let pass now."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
                sock.sendall(f"CONNECT {name}:{ORIGIN_PORT} HTTP/1.1\r\n"
                             f"Host: {name}:{ORIGIN_PORT}\r\n\r\n".encode())
                return b" 200 " in sock.recv(4096)[:20]
        except OSError:
            return False

    def configure(self):
        pass

    def command(self):
        raise NotImplementedError

    def write_list(self, suffixes):
        raise NotImplementedError

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def loadings(self):
        """How many lists it has said to have loaded; none where it does not say so."""
        return 0

    def cpu_seconds(self):
        return time.clock_gettime((~self.process.pid << 3) | _CPU_CLOCK)

    def pss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return 0

    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self._output.close()


class Ebbgate(Proxy):
    name = "Ebbgate"
    binary = "build/release/ebbgate"

    def write_list(self, suffixes):
        (self.folder / "allow").write_text("".join(f"{s}\n" for s in suffixes))

    def loadings(self):
        return (self.folder / "output").read_bytes().count(b" is in force")

    def command(self):
        return [self.binary, "run", "--listen", f"127.0.0.1:{self.port}", "--workers", 1,
                "--allow-file", self.folder / "allow", "--allow-port", ORIGIN_PORT,
                "--allow-private", "127.0.0.0/8", "--dns", "127.0.0.1:53", "--admin", "off",
                "--access-log", self.folder / "access.log"]


class Squid(Proxy):
    name = "Squid"

    def write_list(self, suffixes):
        (self.folder / "allow").write_text("".join(f"{s}\n" for s in suffixes))

    def configure(self):
        (self.folder / "squid.conf").write_text(f"""
http_port 127.0.0.1:{self.port}
acl listed dstdomain "{self.folder}/allow"
acl ports port {ORIGIN_PORT}
http_access allow listed ports
http_access deny all
cache deny all
dns_nameservers 127.0.0.1
access_log stdio:{self.folder}/access.log
cache_log {self.folder}/cache.log
pid_filename {self.folder}/squid.pid
coredump_dir {self.folder}
pinger_enable off
max_filedescriptors 20000
shutdown_lifetime 0 seconds
""")

    def command(self):
        return ["/usr/sbin/squid", "-N", "-f", self.folder / "squid.conf"]


class Tinyproxy(Proxy):
    name = "tinyproxy"

    def write_list(self, suffixes):
        (self.folder / "filter").write_text(
            "".join("\\" + s.replace(".", "\\.")[1:] + "$\n" for s in suffixes))

    def configure(self):
        (self.folder / "tinyproxy.conf").write_text(f"""
User nobody
Group nogroup
Port {self.port}
Listen 127.0.0.1
Allow 127.0.0.1
ConnectPort {ORIGIN_PORT}
MaxClients 10000
LogFile "{self.folder}/access.log"
LogLevel Connect
Filter "{self.folder}/filter"
FilterDefaultDeny Yes
FilterExtended Yes
""")

    def command(self):
        return ["/usr/bin/tinyproxy", "-d", "-c", self.folder / "tinyproxy.conf"]


class Haproxy(Proxy):
    """No proxy in HTTP's sense: a TCP relay with splice, which looks at nothing. The ceiling."""

    name, mode = "haproxy", "relay"

    def write_list(self, suffixes):
        pass

    def configure(self):
        (self.folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 9200
  maxpipes 400
  log stdout format raw local0
defaults
  mode tcp
  log global
  option tcplog
  option splice-request
  option splice-response
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen relay
  bind 127.0.0.1:{self.port}
  server origin 127.0.0.1:{ORIGIN_PORT}
""")

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-f", self.folder / "haproxy.cfg"]


ALL = [Ebbgate, Squid, Tinyproxy, Haproxy]

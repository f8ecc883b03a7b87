"""SIGUSR2: a new process of the program's file takes over the listening sockets, without one failed
request under load. The old one keeps its tunnels until they end or it is told to stop; a successor
that does not come up changes nothing."""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

POLICY = """apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: test}
spec:
  allow:
    - {hosts: [.test], ports: [1-65535], tls: "off"}
"""


def is_running(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


class UpgradeCase(Case):
    def setUp(self):
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.tunnelled = self.enter(TcpOrigin())
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.url = f"http://a.test:{self.origin.port}/"
        self.folder = self.scratch()
        self.policy = self.folder / "policy.yaml"
        self.policy.write_text(POLICY)
        self.config = self.folder / "config.yaml"
        self.configure(workers=2)

    def configure(self, **settings):
        """Writes the settings that a successor may find changed."""
        self.config.write_text("".join(f"{k.replace('_', '-')}: {v}\n"
                                       for k, v in settings.items()))

    def gateway(self, *flags, **options):
        return self.enter(Gateway("--config", self.config, "--policy", self.policy, *flags,
                                  dns=self.dns, workers=None,
                                  **{"admin": "127.0.0.1:0", **options}))

    def upgrade(self, gateway, of=None):
        """Replaces the process `of` (the gateway's first); the successor's number."""
        said = len(gateway.err.all())
        os.kill(of or gateway.pid, signal.SIGUSR2)
        line = gateway.err.wait_for(r"process \d+ has taken over", start=said)
        self.assertTrue(line, gateway.err.all())
        successor = int(re.search(r"process (\d+)", line)[1])
        self.addCleanup(self.end, successor)
        return successor

    @staticmethod
    def end(pid):
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_running(pid), what=f"the end of process {pid}")

    def tunnel(self, gateway):
        client = self.enter(gateway.client())
        self.assertEqual(200, client.connect(f"a.test:{self.tunnelled.port}").status)
        server = self.tunnelled.accept()
        self.addCleanup(server.close)
        return client, server

    def assert_alive(self, tunnel):
        client, server = tunnel
        client.send(b"ping")
        self.assertEqual(b"ping", server.recv(4))
        server.sendall(b"pong")
        self.assertEqual(b"pong", client.receive(4))

    def get(self, gateway):
        with gateway.client() as client:
            return client.get(self.url).status


class UnderLoad(UpgradeCase):
    def test_no_request_fails(self):
        gateway = self.gateway()
        failures, answered, stop = [], [], threading.Event()

        def ask(work):
            while not stop.is_set():
                try:
                    work()
                    answered.append(work.__name__)
                except Exception as error:
                    failures.append(f"{work.__name__}: {error!r}")

        def get():
            self.assertEqual(200, self.get(gateway))

        def connect():
            with gateway.client() as client:
                self.assertEqual(200, client.connect(f"a.test:{self.origin.port}").status)
                self.assertEqual(b"hello", client.get("/", Host="a.test").body)

        def denied():
            with gateway.client() as client:
                self.assertEqual(403, client.get("http://a.example/").status)

        def kept():
            with gateway.client() as client:
                for _ in range(20):
                    answer = client.get(self.url)
                    self.assertEqual(200, answer.status)
                    if answer.headers.get("Connection") == "close":
                        break

        threads = [threading.Thread(target=ask, args=(work,))
                   for work in (get, get, connect, connect, denied, kept, kept)]
        for thread in threads:
            thread.start()
        process = None
        try:
            for _ in range(4):
                asked = len(answered)
                process = self.upgrade(gateway, process)
                wait_until(lambda: len(answered) > asked + 200, what="more answers")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], failures[:5])
        self.assertEqual({"get", "connect", "denied", "kept"}, set(answered))
        self.assertEqual(0, gateway.wait())


class TheOldProcess(UpgradeCase):
    def test_keeps_its_tunnels_until_they_end(self):
        gateway = self.gateway()
        tunnel = self.tunnel(gateway)
        self.upgrade(gateway)
        self.assert_alive(tunnel)
        self.assertEqual(200, self.get(gateway))
        self.assert_alive(tunnel)
        for side in tunnel:
            side.close()
        self.assertEqual(0, gateway.wait())
        self.assertEqual(200, self.get(gateway))

    def test_ends_its_tunnels_after_the_drain_timeout_when_told_to_stop(self):
        gateway = self.gateway("--drain-timeout", "1s")
        tunnel = self.tunnel(gateway)
        self.upgrade(gateway)
        gateway.signal(signal.SIGTERM)
        self.assertTrue(gateway.err.wait_for("stopping: waiting for 1 connections"))
        self.assert_alive(tunnel)
        self.assertEqual("reset", tunnel[0].end())
        self.assertEqual(0, gateway.wait())
        self.assertEqual(200, self.get(gateway))

    def test_serves_an_idle_connection_and_says_that_it_closes(self):
        gateway = self.gateway()
        idle = self.enter(gateway.client())
        self.assertEqual(200, idle.get(self.url).status)
        self.upgrade(gateway)
        for _ in range(10):  # its worker may hear of it a moment later
            answer = idle.get(self.url)
            self.assertEqual(200, answer.status)
            if answer.headers["Connection"] == "close":
                break
        self.assertEqual("closed", idle.end())
        self.assertEqual(0, gateway.wait())

    def test_is_left_alone_by_the_connections_of_its_successor(self):
        """A listener's descriptor that another process holds still wakes whoever watches it."""
        gateway = self.gateway()
        tunnel = self.tunnel(gateway)
        self.upgrade(gateway)
        self.get(gateway)
        before = self.wake_ups(gateway.pid)
        for _ in range(100):
            self.assertEqual(200, self.get(gateway))
        self.assertLess(self.wake_ups(gateway.pid) - before, 50)
        self.assert_alive(tunnel)

    @staticmethod
    def wake_ups(pid):
        """How often the worker threads of a process went to sleep."""
        total = 0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            if (task / "comm").read_text().startswith("worker-"):
                status = (task / "status").read_text()
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
        return total


class TheSuccessor(UpgradeCase):
    def test_that_cannot_start_leaves_the_old_one_serving(self):
        gateway = self.gateway()
        tunnel = self.tunnel(gateway)
        for complaint, broken in ((r"config\.yaml:1:\d+: error: ", {"workers": "none"}),
                                  (r"policy\.yaml:6:\d+: error: ", None)):
            with self.subTest(complaint=complaint):
                if broken:
                    self.configure(**broken)
                else:
                    self.policy.write_text(POLICY.replace("hosts:", "host:"))
                    self.assertTrue(gateway.err.wait_for("the policy is unchanged"))
                said = len(gateway.err.all())
                gateway.signal(signal.SIGUSR2)
                self.assertTrue(gateway.err.wait_for(complaint, start=said), gateway.err.all())
                self.assertTrue(gateway.err.wait_for("this process serves on", start=said))
                self.assertEqual(200, self.get(gateway))
                self.assertEqual(200, gateway.page("/readyz").status)
                self.assert_alive(tunnel)
                self.configure(workers=2)
        said = len(gateway.err.all())
        self.policy.write_text(POLICY)
        self.upgrade(gateway)
        self.assertEqual(200, self.get(gateway))

    def test_serves_the_admin_and_health_pages_alone(self):
        gateway = self.gateway("--health", "127.0.0.1:0")
        self.tunnel(gateway)
        begun = gateway.metric("process_start_time_seconds")
        self.upgrade(gateway)
        for _ in range(30):
            self.assertEqual(200, gateway.page("/readyz", "admin").status)
            self.assertEqual(200, gateway.page("/readyz", "health").status)
            self.assertEqual(0, gateway.metric("ebbgate_tunnels_open"))
        self.assertTrue(gateway.is_running())
        self.assertGreaterEqual(gateway.metric("process_start_time_seconds"), begun)

    def test_may_have_another_number_of_workers_and_be_succeeded_in_turn(self):
        gateway = self.gateway()
        process = None
        for workers in (1, 3, 2):
            self.configure(workers=workers)
            process = self.upgrade(gateway, process)
            self.assertEqual(workers, gateway.metric("ebbgate_workers"))
            for _ in range(30):  # each of the sockets has a reader
                self.assertEqual(200, self.get(gateway))

    def test_closes_the_sockets_that_it_has_no_use_for(self):
        first, second = (self.free_port() for _ in range(2))
        self.configure(workers=1, listen=f'["127.0.0.1:{first}", "127.0.0.1:{second}"]')
        gateway = self.gateway(listen=None, admin="off")  # port 0 takes any that is left
        for port in (first, second):
            gateway.port = port
            self.assertEqual(200, self.get(gateway))
        self.configure(workers=1, listen=f"127.0.0.1:{first}")
        successor = self.upgrade(gateway)
        self.assertEqual(0, gateway.wait())
        with self.assertRaises(ConnectionRefusedError):
            self.get(gateway)
        gateway.port = first
        self.assertEqual(200, self.get(gateway))
        os.kill(successor, signal.SIGTERM)
        wait_until(lambda: not is_running(successor))

    def test_has_the_sockets_as_they_were(self):
        """What the old process does to prepare its end must not stay with what both hold."""
        gateway = self.gateway()
        options = self.listening_options(gateway.pid, gateway.port)
        self.assertEqual(2, len(options))
        successor = self.upgrade(gateway)
        self.assertEqual(0, gateway.wait())
        self.assertEqual(options, self.listening_options(successor, gateway.port))

    @staticmethod
    def listening_options(pid, port):
        """Some socket options of a process's listening sockets on a port."""
        pidfd_getfd, found = 438, []
        process = os.pidfd_open(pid)
        for name in os.listdir(f"/proc/{pid}/fd"):
            copy = ctypes.CDLL(None, use_errno=True).syscall(pidfd_getfd, process, int(name), 0)
            if copy < 0:
                continue
            try:
                sock = socket.socket(fileno=copy)
            except OSError:  # it is none
                os.close(copy)
                continue
            with sock:
                if sock.family == socket.AF_INET and sock.getsockname()[1] == port and \
                        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.append([sock.getsockopt(socket.IPPROTO_TCP, option) for option in (
                        socket.TCP_DEFER_ACCEPT, socket.TCP_NODELAY, socket.TCP_KEEPIDLE)])
        os.close(process)
        return found

    @staticmethod
    def free_port():
        origin = TcpOrigin()
        origin.close()
        return origin.port

    def test_is_of_the_file_that_has_the_programs_name_now(self):
        program = self.folder / "ebbgate"
        shutil.copy(BINARY, program)
        gateway = self.gateway(program=program)
        shutil.copy(BINARY, self.folder / "new")
        os.rename(self.folder / "new", program)
        successor = self.upgrade(gateway)
        self.assertTrue(os.path.samefile(f"/proc/{successor}/exe", program))
        # Its own descriptors and those it was left, no more: none leaks from one to the next.
        open_now = len(os.listdir(f"/proc/{successor}/fd"))
        third = self.upgrade(gateway, successor)
        wait_until(lambda: len(os.listdir(f"/proc/{third}/fd")) <= open_now,
                   what="as many descriptors as before")

    def test_has_the_pid_file_and_the_log(self):
        pid_file, log = self.folder / "pid", self.folder / "access.log"
        gateway = self.gateway("--pid-file", pid_file, "--access-log", log)
        self.assertEqual(gateway.pid, int(pid_file.read_text()))
        tunnel = self.tunnel(gateway)
        successor = self.upgrade(gateway)
        self.assertEqual(successor, int(pid_file.read_text()))
        self.assertEqual(200, self.get(gateway))
        for side in tunnel:
            side.close()
        self.assertEqual(0, gateway.wait())
        self.assertEqual(successor, int(pid_file.read_text()))
        os.kill(successor, signal.SIGTERM)
        wait_until(lambda: not is_running(successor))
        self.assertFalse(pid_file.exists())
        phases = re.findall(r'"phase":"(\w+)"', log.read_text())
        self.assertEqual(["close", "open", "request"], sorted(phases))

    def test_ends_what_a_stop_during_the_change_began(self):
        """SIGTERM to the old process while its successor starts: it drains, whatever follows."""
        gateway = self.gateway("--drain-timeout", "1s")
        tunnel = self.tunnel(gateway)
        gateway.signal(signal.SIGUSR2)
        gateway.signal(signal.SIGTERM)
        line = gateway.err.wait_for(r"process \d+ has taken over")
        self.addCleanup(self.end, int(re.search(r"process (\d+)", line)[1]))
        self.assertEqual("reset", tunnel[0].end())
        self.assertEqual(0, gateway.wait())
        self.assertEqual(200, self.get(gateway))


if __name__ == "__main__":
    main()

"""What systemd hears (sd_notify(3)), and the unit that comes with the gateway."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.process import PATIENCE, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "ebbgate.service"


class NotifySocket:
    """Where a service manager listens; `path` may begin with @ for an abstract one."""

    def __init__(self, path):
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.path[1:] if self.path.startswith("@") else self.path)
        self._socket.settimeout(PATIENCE)

    def next(self):
        """The assignments of the next message."""
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())

    def is_silent(self):
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
            return False
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


class Notifications(Case):
    def setUp(self):
        self.folder = self.scratch()
        self.policy = self.folder / "names.list"
        self.policy.write_text("a.test\n")

    def gateway(self, notify, *flags):
        return self.enter(Gateway("--allow-file", self.policy, *flags,
                                  environment={"NOTIFY_SOCKET": notify.path}))

    def test_ready_and_stopping(self):
        for path in (self.folder / "notify", f"@ebbgate-test-{os.getpid()}"):
            with self.subTest(path=path), NotifySocket(path) as notify:
                gateway = self.gateway(notify)
                self.assertEqual({"READY": "1", "MAINPID": str(gateway.pid)}, notify.next())
                self.assertTrue(notify.is_silent())
                gateway.signal(signal.SIGTERM)
                self.assertEqual({"STOPPING": "1"}, notify.next())
                self.assertEqual(0, gateway.wait())
                self.assertTrue(notify.is_silent())

    def test_every_reload_ends_in_ready(self):
        """Whatever becomes of it: a unit that never says READY again is stuck in `reloading`."""
        notify = self.enter(NotifySocket(self.folder / "notify"))
        gateway = self.gateway(notify)
        notify.next()
        for text, result in ((None, "unchanged"), ("b.test\n", "new"), ("b.test/\n", "invalid"),
                             ("c.test\n", "valid again")):
            with self.subTest(result=result):
                if text:
                    self.policy.write_text(text)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                gateway.signal(signal.SIGHUP)
                seen = []
                while not seen or "RELOADING" not in seen[-1]:
                    seen.append(notify.next())  # the file's change may have been noticed before
                after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                self.assertEqual("1", seen[-1]["RELOADING"])
                # Type=notify-reload wants to know when it began.
                self.assertTrue(before <= int(seen[-1]["MONOTONIC_USEC"]) <= after, seen)
                self.assertEqual("1", notify.next()["READY"])
        gateway.signal(signal.SIGTERM)

    def test_without_a_policy_a_reload_ends_in_ready_too(self):
        notify = self.enter(NotifySocket(self.folder / "notify"))
        gateway = self.enter(Gateway(environment={"NOTIFY_SOCKET": notify.path}))
        notify.next()
        gateway.signal(signal.SIGHUP)
        self.assertEqual("1", notify.next()["RELOADING"])
        self.assertEqual("1", notify.next()["READY"])

    def test_an_upgrade_names_the_new_process_and_the_old_one_ends_unsaid(self):
        notify = self.enter(NotifySocket(self.folder / "notify"))
        gateway = self.gateway(notify)
        notify.next()
        gateway.signal(signal.SIGUSR2)
        said = notify.next()
        successor = int(said["MAINPID"])
        self.addCleanup(self.end, successor)
        self.assertEqual("1", said["READY"])
        self.assertNotEqual(gateway.pid, successor)
        gateway.signal(signal.SIGTERM)
        self.assertEqual(0, gateway.wait())
        self.assertTrue(notify.is_silent(), "the service goes on")
        os.kill(successor, signal.SIGTERM)
        self.assertEqual({"STOPPING": "1"}, notify.next())

    @staticmethod
    def end(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_no_socket_and_a_useless_one_do_no_harm(self):
        for value in ("", str(self.folder / "nobody"), "x" * 200):
            with self.subTest(value=value):
                gateway = self.enter(Gateway("--allow-file", self.policy,
                                             environment={"NOTIFY_SOCKET": value}))
                self.assertEqual(0, gateway.stop())


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Unit(Case):
    def analyze(self, *words):
        unit = self.scratch() / UNIT.name
        # What is verified has to exist on this machine.
        unit.write_text(re.sub(r"(?m)^(ExecStart=)\S+", rf"\g<1>{BINARY}",
                               UNIT.read_text()))
        return subprocess.run(["systemd-analyze", *words, str(unit)], capture_output=True,
                              text=True, timeout=60, check=False)

    def test_systemd_finds_nothing_to_complain_of(self):
        done = self.analyze("verify", "--man=no")
        ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
        self.assertEqual((0, []), (done.returncode, ours), done.stderr)

    def test_it_is_hardened(self):
        done = self.analyze("security", "--offline=true", "--threshold=14")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        print(done.stdout.splitlines()[-1])

    def test_where_settings_write_by_default_it_may_write(self):
        """The rest of the file system is read-only to it (ProtectSystem=strict)."""
        directory = re.search(r"(?m)^StateDirectory=(.*)$", UNIT.read_text())[1]
        defaults = re.findall(r"`(/var/lib/\S+)`", (ROOT / "docs/configuration.md").read_text())
        self.assertGreaterEqual(len(defaults), 2)
        for each in defaults:
            self.assertTrue(each.startswith(f"/var/lib/{directory}/"), each)

    def test_its_command_line_is_one_that_the_gateway_takes(self):
        command = re.search(r"(?m)^ExecStart=\S+ run (.*)$", UNIT.read_text())[1].split()
        config = self.scratch() / "config.yaml"
        config.write_text("listen: 127.0.0.1:0\n")
        command[command.index("--config") + 1] = str(config)
        done = subprocess.run([BINARY, "check", *command, "--allow", "a.test"], timeout=60,
                              capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    main()

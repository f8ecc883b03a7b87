"""The access log (semantics 6 and 13): refusals are recorded before they are answered and none is
lost, whatever becomes of the disk, of who reads, and of the process."""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import PATIENCE, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

# %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt, and our eleventh field.
SQUID = re.compile(r"(?P<time>\d+\.\d{3}) +(?P<ms>\d+) (?P<client>[0-9a-f.:]+) "
                   r"(?P<result>[A-Z_]+)/(?P<status>\d{3}) (?P<bytes>\d+) (?P<method>\S+) "
                   r"(?P<target>\S+) (?P<user>\S+) (?P<hierarchy>[A-Z_]+/\S+) (?P<type>\S+)"
                   r"( count=(?P<count>\d+))?")


class LogCase(Case):
    def setUp(self):
        self.folder = self.scratch()
        self.log = self.folder / "access.log"
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.url = f"http://a.test:{self.origin.port}/"

    def gateway(self, *flags, **options):
        return self.enter(Gateway(*flags, allow=[".test"], dns=self.dns, admin="127.0.0.1:0",
                                  **options))

    def denied(self, gateway, name="a.example"):
        """Asks for a name that is refused; the status, or None where there was no answer."""
        with gateway.client() as client:
            client.sock.settimeout(max(PATIENCE, 10))
            try:
                return client.connect(f"{name}:443").status
            except ConnectionError:
                return None

    @staticmethod
    def events(text):
        return [json.loads(line) for line in text.splitlines()]

    @staticmethod
    def denials(events):
        """By name, the sum of `count`."""
        sums = collections.Counter()
        for event in events:
            if event["verdict"] == "DENY":
                sums[event["host"]] += event["count"]
        return sums

    def flood(self, gateway, threads=8, requests=100, names=3):
        """Refused requests from several sides; how many were answered, by name."""
        answered, lock = collections.Counter(), threading.Lock()

        def ask(number):
            for at in range(requests):
                name = f"n{(number + at) % names}.example"
                if self.denied(gateway, name) == 403:
                    with lock:
                        answered[name] += 1

        workers = [threading.Thread(target=ask, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return answered


class Sums(LogCase):
    def test_a_flood_of_refusals_is_folded_and_counted_in_full(self):
        gateway = self.gateway("--access-log", self.log, workers="2")
        answered = self.flood(gateway)
        self.assertEqual(800, answered.total())
        denied = gateway.metric('ebbgate_denied_total{reason="not-allowed"}')
        self.assertEqual(0, gateway.stop())
        events = self.events(self.log.read_text())
        self.assertEqual(answered, self.denials(events))
        self.assertEqual(800, denied)
        self.assertLess(len(events), 400, "identical refusals of one second are one event")
        self.assertGreaterEqual(len(events), 6)

    def test_the_first_is_written_within_100_ms_and_the_folded_within_the_second(self):
        gateway = self.gateway()
        self.assertEqual(403, self.denied(gateway))
        began = time.monotonic()
        self.assertTrue(gateway.wait_for_event(host="a.example", count=1))
        self.assertLess(time.monotonic() - began, 0.1 + 0.4)  # and what a busy machine takes
        for _ in range(5):
            self.assertEqual(403, self.denied(gateway))
        began = time.monotonic()
        wait_until(lambda: self.denials(gateway.events())["a.example"] == 6)
        self.assertLess(time.monotonic() - began, 2.5)

    def test_squid_lines_are_squids_and_say_the_same(self):
        gateway = self.gateway("--access-log", self.log, "--log-format", "squid", "--sni", "off")
        with gateway.client() as client:
            self.assertEqual(200, client.get(self.url + "path?secret").status)
        with TcpOrigin() as origin, gateway.client() as client:
            self.assertEqual(200, client.connect(f"b.test:{origin.port}").status)
            client.send(b"\x16\x03\x01")
            server = origin.accept()
            client.close()
            server.close()
        with gateway.client() as client:
            client.request("GET", "http://a.test:1/\"x")
            client.response()
        self.flood(gateway, threads=2, requests=20, names=1)
        with gateway.client() as client:
            client.send(b"BROKEN\r\n\r\n")
            client.response()
        self.assertEqual(0, gateway.stop())
        lines = self.log.read_text().splitlines()
        parsed = [SQUID.fullmatch(line) for line in lines]
        self.assertTrue(all(parsed), lines)
        seen = {(p["result"], p["status"], p["method"], p["target"], p["hierarchy"], p["type"])
                for p in parsed}
        self.assertIn(("TCP_MISS", "200", "GET", self.url + "path?", "HIER_DIRECT/127.0.0.1", "-"),
                      seen)
        self.assertIn(("TCP_DENIED", "403", "CONNECT", "n0.example:443", "HIER_NONE/-"),
                      {row[:5] for row in seen})
        self.assertIn(("NONE_NONE", "400", "error:invalid-request"),
                      {(p["result"], p["status"], p["target"]) for p in parsed})
        self.assertEqual(40, sum(int(p["count"] or 1) for p in parsed
                                 if p["target"] == "n0.example:443"))
        self.assertTrue(all(re.match(r"\d+\.\d{3} {1,6}\d+ ", line) for line in lines))


class ATargetThatFails(LogCase):
    def tmpfs(self, size):
        """A small disk; skipped where none may be mounted."""
        disk = self.scratch()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "ebbgate", disk],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            self.skipTest(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        return disk

    def test_a_full_disk_is_reported_counted_and_written_to_again(self):
        disk = self.tmpfs("256k")
        log, ballast = disk / "access.log", disk / "ballast"
        gateway = self.gateway("--access-log", log)
        self.assertEqual(403, self.denied(gateway))
        wait_until(lambda: log.stat().st_size > 0)
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        # What still fits into the file's last page is written; then it fails.
        answered = 1
        for _ in range(200):
            answered += self.denied(gateway, f"n{answered}.example") == 403
            if gateway.metric("ebbgate_log_write_errors_total") > 0:
                break
        self.assertGreater(gateway.metric("ebbgate_log_write_errors_total"), 0)
        self.assertTrue(gateway.err.wait_for("No space left on device"))
        for _ in range(20):  # the queue takes these: they are answered all the same
            answered += self.denied(gateway, f"n{answered}.example") == 403
        self.assertEqual(200, gateway.page("/readyz").status)
        ballast.unlink()
        wait_until(lambda: sum(self.denials(self.events(self.whole_lines(log))).values())
                   == answered, what="the rest of the events")
        self.assertEqual(0, gateway.stop())
        self.assertEqual(answered, sum(self.denials(self.events(log.read_text())).values()))
        self.assertEqual(1, sum("No space left" in line for line in gateway.err.all()))

    @staticmethod
    def whole_lines(log):
        return log.read_text().rpartition("\n")[0]

    def test_a_device_that_is_always_full_keeps_refusing_and_says_so(self):
        gateway = self.gateway("--access-log", "/dev/full")
        self.assertEqual(403, self.denied(gateway))
        self.assertTrue(gateway.err.wait_for("No space left on device"))
        with gateway.client() as client:
            self.assertEqual(200, client.get(self.url).status)
        self.assertEqual(1, gateway.stop())  # what could not be written is a failure at the end
        self.assertTrue(gateway.err.wait_for("octets of the access log could not be written"))

    def test_a_reader_that_stalls_holds_up_refused_clients_only(self):
        """The queue (1 MiB) fills. Then who was let pass is served, and its event dropped; who is
        refused waits 5 s and is closed unanswered; both are counted. When the reader goes on, so
        does the log, and every refusal that was answered is in it."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        gateway = self.gateway(stdout=writing)
        os.close(writing)
        kept = self.enter(gateway.client())
        answered, long_name = 0, ".".join(["a" * 60] * 4)
        deadline = time.monotonic() + 60
        while gateway.metric("ebbgate_log_dropped_events_total") < 10:
            # Events of requests that pass, with names as long as may be, fill it faster.
            self.assertEqual(200, kept.get(f"http://a.test:{self.origin.port}/{'p' * 1500}").status)
            self.assertLess(time.monotonic(), deadline)
        # A quarter of the queue is for refusals.
        outcomes = collections.Counter()
        unanswered = "ebbgate_log_refusals_unanswered_total"

        def ask(number):
            for at in range(100):
                if outcomes[None]:
                    return
                outcomes[self.denied(gateway, f"n{number}-{at}.{long_name[:200]}.example")] += 1

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(outcomes[None], 0, outcomes)
        self.assertEqual(outcomes[None], gateway.metric(unanswered))
        self.assertEqual(200, kept.get(self.url).status)
        self.assertEqual(200, gateway.page("/readyz").status)
        answered = outcomes[403]
        # The reader goes on.
        text, done = [], threading.Event()

        def read():
            while data := os.read(reading, 65536):
                text.append(data)
            done.set()

        threading.Thread(target=read, daemon=True).start()
        wait_until(lambda: self.denied(gateway, "last.example") == 403)
        self.assertEqual(0, gateway.stop())
        self.assertTrue(done.wait(PATIENCE))
        sums = self.denials(self.events(b"".join(text).decode()))
        self.assertGreaterEqual(sums.pop("last.example"), 1)
        self.assertEqual(answered, sum(sums.values()))

    def test_a_reader_that_goes_is_no_end_of_the_gateway(self):
        reading, writing = os.pipe()
        gateway = self.gateway(stdout=writing)
        os.close(writing)
        self.assertEqual(403, self.denied(gateway))
        os.close(reading)
        self.assertEqual(403, self.denied(gateway, "b.example"))
        self.assertTrue(gateway.err.wait_for("Broken pipe"))
        with gateway.client() as client:
            self.assertEqual(200, client.get(self.url).status)


class Ends(LogCase):
    def test_a_kill_loses_at_most_100_ms_of_refusals(self):
        gateway = self.gateway("--access-log", self.log)
        answers = []  # (when it was answered, name)
        stop = threading.Event()

        def ask(number):
            at = 0
            while not stop.is_set():
                name = f"n{number}-{at}.example"
                try:
                    if self.denied(gateway, name) == 403:
                        answers.append((time.monotonic(), name))
                except OSError:
                    return
                at += 1

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 500)
        killed = time.monotonic()
        gateway.signal(signal.SIGKILL)
        gateway.wait()
        stop.set()
        for thread in threads:
            thread.join()
        text = self.log.read_text()
        written = {event["host"] for event in self.events(text[:text.rfind("\n") + 1])}
        lost = [killed - when for when, name in answers if name not in written]
        self.assertLess(max(lost, default=0), 0.1 + 0.2, f"{len(lost)} of {len(answers)} lost")

    def test_what_a_kill_left_half_written_is_no_part_of_the_next_line(self):
        self.log.write_text('{"cut":"off')
        gateway = self.gateway("--access-log", self.log)
        self.assertEqual(403, self.denied(gateway))
        self.assertEqual(0, gateway.stop())
        first, *others = self.log.read_text().splitlines()
        self.assertEqual('{"cut":"off', first)
        self.assertEqual(["a.example"], [event["host"] for event in self.events("\n".join(others))])

    def test_the_log_is_opened_again_after_a_rename(self):
        gateway = self.gateway("--access-log", self.log)
        self.assertEqual(403, self.denied(gateway, "a.example"))
        rotated = self.folder / "access.log.1"
        wait_until(lambda: self.log.stat().st_size > 0)
        os.rename(self.log, rotated)
        self.assertEqual(403, self.denied(gateway, "b.example"))  # still the file that was open
        wait_until(lambda: "b.example" in rotated.read_text())
        self.assertFalse(self.log.exists())
        gateway.signal(signal.SIGUSR1)
        wait_until(self.log.exists, what="the new file")
        self.assertEqual(0o640, self.log.stat().st_mode & 0o777)
        self.assertEqual(403, self.denied(gateway, "c.example"))
        self.assertEqual(0, gateway.stop())
        self.assertEqual(["c.example"], [e["host"] for e in self.events(self.log.read_text())])
        self.assertEqual(["a.example", "b.example"],
                         [e["host"] for e in self.events(rotated.read_text())])

    def test_a_rotation_under_load_loses_nothing(self):
        gateway = self.gateway("--access-log", self.log, workers="2")
        stop, answered = threading.Event(), collections.Counter()

        def ask(number):
            at = 0
            while not stop.is_set():
                if self.denied(gateway, f"n{number}-{at}.example") == 403:
                    answered[f"n{number}-{at}.example"] += 1
                at += 1

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for number in range(5):
            before = answered.total()
            os.rename(self.log, self.folder / f"access.log.{number}")
            gateway.signal(signal.SIGUSR1)
            wait_until(lambda floor=before: self.log.exists() and answered.total() > floor + 50)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(0, gateway.stop())
        text = "".join(path.read_text() for path in self.folder.glob("access.log*"))
        self.assertEqual(answered, self.denials(self.events(text)))

    def test_a_log_that_cannot_be_opened_is_an_error_at_start_and_later_only_said(self):
        with self.assertRaisesRegex(AssertionError, "access log .*No such file or directory"):
            self.gateway("--access-log", self.folder / "missing" / "log")
        folder = self.folder / "logs"
        folder.mkdir()
        gateway = self.gateway("--access-log", folder / "log")
        self.assertEqual(403, self.denied(gateway, "a.example"))
        wait_until(lambda: (folder / "log").stat().st_size > 0)
        os.rename(folder, self.folder / "moved")
        gateway.signal(signal.SIGUSR1)
        self.assertTrue(gateway.err.wait_for("No such file or directory"))
        self.assertEqual(403, self.denied(gateway, "b.example"))
        os.rename(self.folder / "moved", folder)
        self.assertEqual(0, gateway.stop())
        self.assertEqual(["a.example", "b.example"],
                         [e["host"] for e in self.events((folder / "log").read_text())])


if __name__ == "__main__":
    main()

"""The process has no descriptor, no memory left: it refuses or waits, says so, lives on, and is as
before when there is some again. It never crashes and never spins."""

import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class ExhaustionCase(Case):
    def setUp(self):
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.tunnelled = self.enter(TcpOrigin())
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.url = f"http://a.test:{self.origin.port}/"

    def gateway(self, *flags, **options):
        return self.enter(Gateway("--sni", "off", *flags, allow=[".test"], dns=self.dns,
                                  admin="127.0.0.1:0", **options))

    def get(self, gateway):
        with gateway.client() as client:
            return client.get(self.url).status

    def tunnel(self, gateway):
        client = self.enter(gateway.client())
        self.assertEqual(200, client.connect(f"a.test:{self.tunnelled.port}").status)
        hello = client_hello("a.test")
        client.send(hello)
        server = self.tunnelled.accept()
        self.addCleanup(server.close)
        got = b""
        while len(got) < len(hello):
            got += server.recv(65536)
        return client, server

    def assert_alive(self, tunnel):
        client, server = tunnel
        client.send(b"ping")
        self.assertEqual(b"ping", server.recv(4))
        server.sendall(b"pong")
        self.assertEqual(b"pong", client.receive(4))


class Descriptors(ExhaustionCase):
    def limit(self, gateway, free):
        """Leaves the process so many descriptors more than it has open."""
        seen = []  # descriptors of the requests before may not all be closed yet
        while len(seen) < 20 or len(set(seen[-20:])) > 1:
            seen.append(descriptors(gateway.pid))
            threading.Event().wait(0.01)
        _, hard = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
        # The limit is on the number of a descriptor: those below it that are free count, too.
        used = sorted(int(name) for name in os.listdir(f"/proc/{gateway.pid}/fd"))
        top = 0
        while free or top in used:
            free -= top not in used
            top += 1
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (top, hard))
        return hard

    def test_without_any_left_accepting_pauses_and_goes_on(self):
        gateway = self.gateway("--access-log", self.scratch() / "log")
        tunnel = self.tunnel(gateway)
        hard = self.limit(gateway, free=0)
        waiting = [self.enter(gateway.client()) for _ in range(20)]
        for client in waiting:
            client.request("GET", self.url)
        self.assertTrue(gateway.err.wait_for("accepts no connection for now: Too many open files"), gateway.err.all())
        # What is open works on, and nothing spins.
        before, began = cpu_seconds(gateway.pid), time.monotonic()
        while time.monotonic() - began < 2:
            self.assert_alive(tunnel)
            threading.Event().wait(0.05)
        self.assertLess(cpu_seconds(gateway.pid) - before, 0.5)
        for client in waiting:
            self.assertTrue(client.is_open())
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (hard, hard))
        for client in waiting:
            self.assertEqual(200, client.response().status)
        self.assertTrue(gateway.err.wait_for("accepts connections again"), gateway.err.all())
        self.assertEqual(200, self.get(gateway))
        self.assertEqual(0, gateway.metric("ebbgate_accept_paused_workers"))
        self.assertGreaterEqual(gateway.metric("ebbgate_accept_pauses_total"), 1)
        # Once is enough: it is not said for every connection.
        self.assertEqual(1, sum("for now" in line for line in gateway.err.all()))
        self.assert_alive(tunnel)

    def test_without_one_for_the_origin_the_client_is_told(self):
        gateway = self.gateway()
        self.assertEqual(200, self.get(gateway))  # the name is in the cache, the log is open
        hard = self.limit(gateway, free=1)  # one for the client
        with gateway.client() as client:
            self.assertEqual(503, client.connect(f"a.test:{self.tunnelled.port}").status)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertTrue(gateway.wait_for_event(reason="over-capacity", status=503))
        self.assertEqual(200, self.get(gateway))
        self.assert_alive(self.tunnel(gateway))

    def test_a_crowd_under_a_low_limit_leaks_nothing(self):
        gateway = self.gateway(workers="2")
        self.get(gateway)
        at_rest = descriptors(gateway.pid)
        hard = self.limit(gateway, free=24)
        answers = []

        def ask():
            for _ in range(20):
                try:
                    with gateway.client() as client:
                        answers.append(client.connect(f"a.test:{self.origin.port}").status)
                except OSError as error:
                    answers.append(repr(error))

        threads = [threading.Thread(target=ask) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(answers), {200, 502, 503})
        self.assertEqual(60 * 20, len(answers))
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertEqual(200, self.get(gateway))
        wait_until(lambda: descriptors(gateway.pid) <= at_rest + 8,  # kept ones among them
                   what="the descriptors to be given back")
        self.assertEqual(0, gateway.stop())


# A malloc that fails: one call in N on the threads whose name begins as FAILING_THREADS says, N
# being the number at the start of a file that the test writes; 0 is never.
FAILING_MALLOC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static volatile uint32_t *one_in;
static volatile uint32_t *failures;
static volatile uint32_t *threads;
static __thread int is_wanted = -1;
static __thread uint64_t random_state;

__attribute__((constructor)) static void begin(void) {
  int fd = open(getenv("FAILING_MALLOC"), O_RDWR | O_CLOEXEC);
  uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  failures = page + 1;
  threads = page + 2;
  one_in = page;
}

static int fails(void) {
  if (one_in == NULL || *one_in == 0) return 0;
  if (is_wanted < 0) {
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    const char *wanted = getenv("FAILING_THREADS");
    is_wanted = strncmp(name, wanted, strlen(wanted)) == 0;
    random_state = __sync_add_and_fetch(threads, 1) * 0x9E3779B97F4A7C15u;
  }
  if (!is_wanted) return 0;
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  if ((random_state >> 33) % *one_in != 0) return 0;
  __sync_fetch_and_add(failures, 1);
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails() ? NULL : __libc_realloc(p, size); }
"""


def is_sanitized():
    """Whether the program brings an allocator of its own."""
    return b"__asan_init" in pathlib.Path(BINARY).read_bytes() or \
        b"__tsan_init" in pathlib.Path(BINARY).read_bytes()


@unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
class Memory(ExhaustionCase):
    def setUp(self):
        if is_sanitized():
            self.skipTest("a sanitizer's allocator cannot be replaced")
        super().setUp()
        folder = self.scratch()
        (folder / "failing.c").write_text(FAILING_MALLOC)
        self.library = folder / "failing.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", self.library, folder / "failing.c"],
                       check=True)
        self.switch = folder / "switch"
        self.switch.write_bytes(bytes(4096))

    def fail_one_in(self, number):
        with self.switch.open("r+b") as file:
            file.write(number.to_bytes(4, sys.byteorder))

    def failures(self):
        return int.from_bytes(self.switch.read_bytes()[4:8], sys.byteorder)

    def environment(self, threads):
        return {"LD_PRELOAD": str(self.library), "FAILING_MALLOC": str(self.switch),
                "FAILING_THREADS": threads}

    def test_a_reload_that_finds_no_memory_is_a_failed_reload(self):
        names = self.scratch() / "names.list"
        names.write_text("".join(f"n{n}.example\n" for n in range(2000)))
        gateway = self.enter(Gateway("--allow-file", names, admin="127.0.0.1:0",
                                     environment=self.environment("policy")))
        failed = 'ebbgate_policy_reloads_total{result="failure"}'
        self.fail_one_in(10)
        for attempt in range(10):
            gateway.signal(signal.SIGHUP)
            wait_until(lambda done=attempt: sum(gateway.metric(
                f'ebbgate_policy_reloads_total{{result="{result}"}}')
                for result in ("success", "failure")) > done + 1, what="the reload")
        self.assertGreater(gateway.metric(failed), 0)
        self.assertTrue(gateway.err.wait_for("the policy cannot be loaded"))
        self.fail_one_in(0)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: gateway.metric("ebbgate_policy_last_reload_successful") == 1)
        self.assertEqual(0, gateway.stop())

    def test_failed_allocations_cost_a_request_each_and_no_more(self):
        gateway = self.gateway("--connect-timeout", "2s", "--head-timeout", "2s",
                               "--handshake-timeout", "2s", "--idle-timeout", "5s", workers="2",
                               environment=self.environment("worker-"))
        tunnel = self.tunnel(gateway)
        self.assertEqual(200, self.get(gateway))
        at_rest = descriptors(gateway.pid)
        stop, outcomes, hanging = threading.Event(), [], []

        def ask(work):
            while not stop.is_set():
                try:
                    outcomes.append(work())
                except OSError as error:
                    outcomes.append(type(error).__name__)
                    if isinstance(error, TimeoutError):
                        hanging.append(work.__name__)

        def connect():
            with gateway.client() as client:
                client.sock.settimeout(8)
                status = client.connect(f"a.test:{self.origin.port}").status
                if status == 200:
                    client.send(client_hello("a.test"))
                    client.sock.shutdown(socket.SHUT_WR)
                    client.end()
                return status

        def get():
            with gateway.client() as client:
                client.sock.settimeout(8)
                for _ in range(3):
                    status = client.get(self.url).status
                return status

        def upload():
            with gateway.client() as client:
                client.sock.settimeout(8)
                client.request("POST", self.url, body=b"x" * 100_000)
                return client.response().status

        def fresh_name():
            with gateway.client() as client:
                client.sock.settimeout(8)
                name = f"n{time.monotonic_ns()}.test"
                return client.connect(f"{name}:{self.origin.port}").status

        def refused():
            with gateway.client() as client:
                client.sock.settimeout(8)
                return client.get("http://a.example/").status

        works = (connect, connect, get, get, upload, fresh_name, refused)
        for rate in (200, 50, 15):
            self.fail_one_in(rate)
            stop.clear()
            outcomes.clear()
            threads = [threading.Thread(target=ask, args=(work,)) for work in works]
            for thread in threads:
                thread.start()
            threading.Event().wait(1)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertTrue(gateway.is_running(), f"it ended at 1 in {rate}: "
                            f"{gateway.err.all()[-3:]}")
            print(f"1 in {rate}: {self.failures()} failures so far, "
                  f"{ {o: outcomes.count(o) for o in sorted(set(outcomes), key=str)} }")
            self.assertEqual([], hanging, "clients were left without an answer")
            self.fail_one_in(0)
            self.assert_alive(tunnel)
        self.assertGreater(self.failures(), 100)
        for _ in range(20):
            self.assertEqual(200, self.get(gateway))
            self.assertEqual(200, connect())
        self.assert_alive(tunnel)
        self.assertGreater(gateway.metric("ebbgate_out_of_memory_total"), 0)
        for side in tunnel:
            side.close()
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 0,
                   what="the end of the last connection")
        wait_until(lambda: descriptors(gateway.pid) <= at_rest + 8,  # kept ones among them
                   what="the descriptors to be given back")
        before = cpu_seconds(gateway.pid)
        threading.Event().wait(1)
        self.assertLess(cpu_seconds(gateway.pid) - before, 0.2, "it spins")
        gateway.signal(signal.SIGTERM)
        self.assertEqual(0, gateway.wait())


if __name__ == "__main__":
    main()

"""`ebbgate diff`, `learn` and `unused` on logs as they are found: ours and Squid's, plain and gzip,
cut, binary, with a line of a hundred megabytes."""

import gzip
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY  # noqa: E402
from harness.testing import main  # noqa: E402


def squid_line(host, client="10.1.2.3", time=1795501324.331, result="TCP_TUNNEL/200", port=443):
    return (f"{time:.3f}      1 {client} {result} 193 CONNECT {host}:{port} - "
            f"HIER_DIRECT/203.0.113.7 -\n")


def json_line(host, client="10.1.2.3", **more):
    event = {"time": "2026-11-24T07:22:04.331Z", "id": "0c5tq2v8m1a4x9kd", "phase": "open",
             "count": 1, "client": client, "ech": False, "method": "CONNECT",
             "target": f"{host}:443", "host": host, "port": 443, "sni": host, "verdict": "ALLOW",
             "reason": "allowed", "bytesIn": 1, "bytesOut": 2, "status": 200, "durationMs": 3}
    return json.dumps(event | more) + "\n"


class Analyse(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)

    def ebbgate(self, *words, expect=0, **more):
        done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True,
                              cwd=self.directory, timeout=120, **more)
        self.assertEqual(expect, done.returncode, done.stdout + done.stderr)
        return done

    def write(self, name, content):
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(self.directory / name, mode) as file:
            file.write(content)
        return name

    def test_learn_writes_a_policy_that_check_accepts_and_that_allows_all_it_saw(self):
        hosts = [f"h{i}.cdn.example" for i in range(20)] + ["api.example", "registry-1.docker.io",
                                                             "auth.docker.io", "bucket.s3.amazonaws.com"]
        chance = random.Random(7)
        lines = [chance.choice([squid_line, json_line])(chance.choice(hosts)) for _ in range(5000)]
        log = self.write("mixed.log", "".join(lines))
        learned = self.ebbgate("learn", log)
        self.assertIn("5000 lines: 5000 events", learned.stderr)
        self.write("learned.yaml", learned.stdout)
        self.ebbgate("check", "learned.yaml")
        for text in ("bundle: docker-hub", '"*.cdn.example"', '"bucket.s3.amazonaws.com"'):
            self.assertIn(text, learned.stdout)
        self.write("nothing.list", "nothing.invalid\n")
        report = json.loads(self.ebbgate("diff", "learned.yaml", "nothing.list", "--replay", log,
                                         "--format", "json", "--top", 0).stdout)
        self.assertEqual(report["replay"]["requests"], report["replay"]["nowRefused"])
        self.assertEqual(report["replay"]["decisions"], len(report["replay"]["decidedOtherwise"]))
        # The same traffic in another order is the same document.
        chance.shuffle(lines)
        self.assertEqual(learned.stdout, self.ebbgate(
            "learn", self.write("shuffled.log", "".join(lines))).stdout)

    def test_learn_takes_what_report_mode_let_pass_and_not_what_was_denied(self):
        log = self.write("a.log", json_line("reported.example", verdict="REPORT",
                                            reason="not-allowed") + json_line("allowed.example")
                         + json_line("denied.example", verdict="DENY", reason="not-allowed",
                                     phase="request")
                         + json_line("typo.example", verdict="DENY", reason="dns-failed",
                                     phase="request"))
        for words, wanted in (([], {"reported", "allowed"}), (["--report-only"], {"reported"}),
                              (["--include-denied"], {"reported", "allowed", "denied"})):
            out = self.ebbgate("learn", log, *words).stdout
            found = {name for name in ("reported", "allowed", "denied", "typo")
                     if f'"{name}.example"' in out}
            self.assertEqual(wanted, found, words)

    def test_learn_from_some_clients_is_a_policy_for_them(self):
        log = self.write("a.log", squid_line("a.example") + squid_line("b.example", "192.0.2.1"))
        out = self.ebbgate("learn", log, "--from", "10.0.0.0/8", "--name", "ci").stdout
        self.assertIn('- cidr: "10.0.0.0/8"', out)
        self.assertIn('name: "ci"', out)
        self.assertNotIn("b.example", out)

    def test_learn_since_and_min_count(self):
        log = self.write("a.log", squid_line("old.example", time=1700000000)
                         + 2 * squid_line("new.example") + squid_line("once.example"))
        out = self.ebbgate("learn", log, "--since", "2026-01-01", "--min-count", 2).stdout
        self.assertIn('"new.example"', out)
        self.assertNotIn('"old.example"', out)
        self.assertIn("# Not covered: 1 request to 1 host with fewer than 2 requests", out)

    def test_nothing_to_learn_is_a_failure_with_a_reason(self):
        done = self.ebbgate("learn", self.write("empty.log", ""), expect=1)
        self.assertEqual("", done.stdout)
        self.assertIn("nothing to learn", done.stderr)

    def test_a_name_that_is_no_name_is_usage(self):
        log = self.write("a.log", squid_line("a.example"))
        self.ebbgate("learn", log, "--name", "No Name", expect=2)

    def test_diff_says_what_opens_and_what_closes(self):
        self.write("old.list", "a.example\n.b.example\n")
        self.write("new.list", ".a.example\n.b.example:443\n")
        out = self.ebbgate("diff", "old.list", "new.list").stdout
        self.assertEqual("lets more pass (1):\n"
                         "  + allow *.a.example, ports 80, 443  (new.list:1:1)\n"
                         "lets less pass (1):\n"
                         "  - allow .b.example, port 80  (old.list:2:1)\n"
                         "      now: .b.example, on 443  (new.list:2:1)\n", out)
        self.ebbgate("diff", "old.list", "new.list", "--exit-code", expect=1)
        self.ebbgate("diff", "old.list", "old.list", "--exit-code")
        self.assertIn("mean the same", self.ebbgate("diff", "old.list", "old.list").stdout)
        report = json.loads(self.ebbgate("diff", "old.list", "new.list", "--format", "json").stdout)
        self.assertEqual(["opens", "closes"], [row["effect"] for row in report["changes"]])

    def test_diff_replays_gzip_and_standard_input(self):
        self.write("old.list", "a.example\nb.example\n")
        self.write("new.list", "a.example\n")
        log = squid_line("a.example") + 3 * squid_line("b.example", "10.9.9.9")
        self.write("log.gz", gzip.compress(log.encode()))
        out = self.ebbgate("diff", "old.list", "new.list", "--replay", "log.gz").stdout
        self.assertIn("3 that pass would be refused", out)
        self.assertIn("3  10.9.9.9  b.example:443  ALLOW allowed -> DENY not-allowed", out)
        out = self.ebbgate("diff", "old.list", "new.list", "--replay", "-", input=log).stdout
        self.assertIn("replay of 4 requests", out)

    def test_unused_names_what_nothing_matched(self):
        self.write("p.list", ".a.example\nb.example\n")
        log = self.write("a.log", squid_line("x.a.example"))
        done = self.ebbgate("unused", "p.list", log)
        self.assertIn("p.list:2:1: allow b.example is not used\n", done.stdout)
        self.ebbgate("unused", "p.list", log, "--exit-code", expect=1)
        report = json.loads(self.ebbgate("unused", "p.list", log, "--format", "json").stdout)
        self.assertEqual(["b.example"], [row["pattern"] for row in report["unused"]])

    def test_unused_says_when_the_log_is_too_short_to_tell(self):
        self.write("p.list", "a.example\n")
        log = self.write("a.log", squid_line("a.example", time=4102444800))
        self.assertIn("warning: the log begins only at",
                      self.ebbgate("unused", "p.list", log, "--days", 30).stdout)

    def test_a_line_of_a_hundred_megabytes_costs_little_memory(self):
        with open(self.directory / "huge.log", "w") as file:
            file.write(squid_line("a.example"))
            for _ in range(100):
                file.write("x" * 1_000_000)
            file.write("\n" + squid_line("b.example"))
        done = self.ebbgate("learn", "huge.log")
        self.assertIn("3 lines: 2 events, 1 too long", done.stderr)
        # In an address space that has no room for the line. Sanitizers need more than there is.
        if not _is_sanitized():
            limited = subprocess.run(
                ["sh", "-c", f'ulimit -v 90000; exec "{BINARY}" learn huge.log'],
                capture_output=True, text=True, cwd=self.directory, timeout=60)
            self.assertEqual(0, limited.returncode, limited.stderr)

    def test_binary_logs_and_cut_gzip_are_survived_and_counted(self):
        chance = random.Random(1)
        self.write("binary.log", chance.randbytes(2_000_000))
        whole = gzip.compress("".join(squid_line(f"h{i}.x{i}.example")
                                      for i in range(20000)).encode())
        self.write("cut.gz", whole[:len(whole) // 2])
        self.write("damaged.gz", whole[:1000] + b"\0" * 1000 + whole[2000:])
        done = self.ebbgate("learn", "binary.log", "cut.gz", "damaged.gz", "--suffix-names", 0)
        self.assertIn("cut.gz: the gzip data ends too early", done.stderr)
        self.assertIn("damaged.gz: the gzip data is damaged", done.stderr)
        self.assertRegex(done.stderr, r"\d+ events.*unreadable")
        self.assertIn('"h1.x1.example"', done.stdout)

    def test_a_log_that_is_not_there_fails_after_the_others_were_read(self):
        log = self.write("a.log", squid_line("a.example"))
        done = self.ebbgate("learn", "none.log", log, expect=1)
        self.assertIn("none.log: No such file or directory", done.stderr)
        self.assertIn('"a.example"', done.stdout)

    def test_command_lines_that_cannot_be_read_are_usage(self):
        self.write("p.list", "a.example\n")
        for words in (["diff", "p.list"], ["diff", "p.list", "p.list", "p.list"], ["learn"],
                      ["unused", "p.list"], ["learn", "x", "--since", "soon"],
                      ["learn", "x", "--from", "10.0.0.1/8"], ["diff", "a", "b", "--format", "xml"],
                      ["unused", "p.list", "x", "--days", "many"], ["learn", "x", "--no-such-flag"]):
            done = self.ebbgate(*words, expect=2)
            self.assertEqual("", done.stdout, words)
            self.assertIn("error: ", done.stderr, words)

    def test_a_broken_policy_is_told_by_line(self):
        self.write("ok.list", "a.example\n")
        self.write("broken.list", "https://a.example/\n")
        for words in (["diff", "ok.list", "broken.list"], ["unused", "broken.list", "x"]):
            self.assertIn("broken.list:1:1: error:", self.ebbgate(*words, expect=3).stderr)

    def test_help_has_an_example(self):
        for command in ("diff", "learn", "unused"):
            self.assertIn(f"  ebbgate {command} ", self.ebbgate(command, "--help").stdout)

    def test_no_progress_bar_where_nobody_looks(self):
        log = self.write("a.log", squid_line("a.example"))
        self.assertNotIn("\r", self.ebbgate("learn", log).stderr)


def _is_sanitized():
    return b"__asan_init" in pathlib.Path(BINARY).read_bytes() or \
        b"__tsan_init" in pathlib.Path(BINARY).read_bytes()


if __name__ == "__main__":
    main()

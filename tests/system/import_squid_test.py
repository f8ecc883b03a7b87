# labels: peers
"""Generated configurations of Squid, imported: the gateway lets pass what a real Squid does, and
where it does not, the importer has said so, in the right direction.

Squid can be told no port of a DNS server: this test needs port 53 of a loopback address."""

import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway, Squid  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.testing import main  # noqa: E402

CONFIGURATIONS, REQUESTS, SEED = 40, 80, 7
# Notes that are about no request here.
IRRELEVANT = ("not about policy", "Squid did not look", "the configuration lets nothing pass")
CLIENTS = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9"]
NAMES = ["example.com", "www.example.com", "a.b.example.com", "secret.example.com",
         "example.org", "api.example.org", "notexample.com", "cdn1.example.net", "example.net"]
DOMAINS = [*NAMES, ".example.com", ".example.org", ".b.example.com", ".secret.example.com", ".net"]
EXPRESSIONS = [r"(^|\.)example\.com$", r"^example\.org$", r"\.example\.net$",
               r"^(www|api)\.example\.(com|org)$", r"^(.*\.)?example\.net$"]
NO_PATTERNS = [r"^cdn[0-9]\.", r"example\.com$"]


def configuration(rng, folder, ports):
    """Lines of a configuration: lists of every kind, and rules of them in an order that counts."""
    lines = ["acl clients src 127.0.0.2-127.0.0.3", "acl one src 127.0.0.4/255.255.255.255",
             f"acl first port {ports[0]}", f"acl second port {ports[1]} 8000-8010",
             "acl CONNECT method CONNECT", "acl reads method GET HEAD"]
    known = ["clients", "one", "localhost", "first", "second", "CONNECT", "reads", "all"]
    for n in range(3):
        chosen = rng.sample(DOMAINS, rng.randint(1, 4))
        chosen = [d for d in chosen if not any(d != o and ("." + d).endswith(o) for o in chosen
                                               if o.startswith("."))]  # Squid dies of overlaps
        if rng.random() < 0.4:
            (folder / f"list{n}").write_text("".join(f"{d}  # listed\n" for d in chosen))
            lines.append(f'acl names{n} dstdomain "{folder}/list{n}"')
        else:
            lines.append(f"acl names{n} dstdomain {' '.join(chosen)}")
    looks = [*rng.sample(EXPRESSIONS, 2), *rng.sample(NO_PATTERNS, rng.random() < 0.25)]
    lines.append(f"acl looks dstdom_regex -i {' '.join(looks)}")
    known += ["names0", "names1", "names2", "looks"] * 2
    for _ in range(rng.randint(2, 6)):
        words = rng.sample(known, rng.randint(1, 3))
        verb = rng.choice(["allow", "allow", "deny"])
        if verb == "allow" and not any(w.startswith(("names", "looks")) for w in words):
            words.append(rng.choice(["names0", "names1", "names2"]))
        lines.append("http_access " + verb + " " + " ".join(
            ("!" if rng.random() < 0.2 and w != "all" and not (
                verb == "allow" and w.startswith(("names", "looks"))) else "") + w
            for w in dict.fromkeys(words)))
    return lines


def admits(proxy, client, method, host, port):
    with socket.create_connection((proxy.address, proxy.port), timeout=30,
                                  source_address=(client, 0)) as sock:
        target = f"{host}:{port}" if method == "CONNECT" else f"http://{host}:{port}/"
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\n"
                     "Connection: close\r\n\r\n".encode())
        head = b""
        while b"\r\n" not in head:
            got = sock.recv(4096)
            if not got:
                raise AssertionError(f"{method} {target}: closed after {head!r}")
            head += got
    return int(head.split()[1]) != 403


class ImportSquid(unittest.TestCase):
    def setUp(self):
        if not Squid.PROGRAM:
            self.skipTest("squid-openssl is not installed")
        zone = {"." + label: Answer("127.0.0.1", ttl=600) for label in ("com", "org", "net")}
        try:
            self.dns = DnsServer(zone, address="127.0.0.53", port=53)
        except OSError as error:
            self.skipTest(f"port 53 of 127.0.0.53: {error}")
        self.addCleanup(self.dns.close)
        self.ports = []
        for _ in range(2):
            origin = TcpOrigin()
            self.addCleanup(origin.close)
            self.ports.append(origin.port)
            threading.Thread(target=self.accept_all, args=(origin,), daemon=True).start()
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.folder.chmod(0o755)

    @staticmethod
    def accept_all(origin):
        while True:
            try:
                origin.accept(patience=None).close()
            except OSError:
                return

    def imported(self, conf):
        done = subprocess.run([BINARY, "import", "squid", conf, "--format", "json"],
                              capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)

    def test_the_gateway_decides_as_squid_does_or_the_importer_says_so(self):
        rng, exact, asked, admitted, wrong = random.Random(SEED), 0, 0, 0, []
        for number in range(CONFIGURATIONS):
            rules = configuration(rng, self.folder, self.ports)
            with Squid(rules=rules, nameserver=self.dns.address) as squid:
                found = self.imported(squid.folder / "squid.conf")
                effects = {note["effect"] for note in found["notes"]
                           if not note["message"].startswith(IRRELEVANT)}
                exact += not effects
                policy = self.folder / f"policy{number}.yaml"
                policy.write_text(found["policy"] or "# nothing")
                flags = ["--policy", policy] if found["policy"] else ["--allow", "none.invalid"]
                check = subprocess.run([BINARY, "check", *map(str, flags)], capture_output=True,
                                       text=True, timeout=60)
                self.assertEqual(0, check.returncode, check.stdout + found["policy"])
                with Gateway(*flags, dns=self.dns) as gateway:
                    for _ in range(REQUESTS):
                        request = (rng.choice(CLIENTS), rng.choice(["CONNECT", "GET", "POST"]),
                                   rng.choice(NAMES), rng.choice(self.ports))
                        theirs, ours = (admits(proxy, *request) for proxy in (squid, gateway))
                        asked, admitted = asked + 1, admitted + theirs
                        if theirs == ours or ("allows-less" if theirs else "allows-more") in effects:
                            continue
                        wrong.append("\n".join([
                            f"{request}: Squid {theirs}, we {ours}", *rules, found["policy"],
                            json.dumps(found["notes"], indent=1)]))
        print(f"{asked} requests, {admitted} admitted by Squid, under {CONFIGURATIONS} "
              f"configurations, {exact} of them carried over whole")
        self.assertEqual([], wrong[:1], f"{len(wrong)} differ")
        self.assertGreater(exact, CONFIGURATIONS // 4)
        self.assertGreater(admitted, asked // 20)


if __name__ == "__main__":
    main()

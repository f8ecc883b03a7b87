# labels: peers
"""Asks a real Squid and the gateway for the same generated hosts under the same allowlists. Where
they differ, the difference is one of DIFFERENCES, each called for by a rule of ours; each of those
has to be seen, too, so that none outlives its reason.

Squid can be told no port of a DNS server: this test needs port 53 of a loopback address."""

import random
import re
import sys
import pathlib
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway, Squid  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.testing import main  # noqa: E402

HOSTS_PER_LIST = 200
SEED = 2024

# Entries as both programs read them, in the order in which they stand in the file.
LISTS = {
    "one name": ["example.com"],
    "one suffix": [".example.com"],
    "a name and its sub-domain": ["example.com", "api.example.com"],
    "a deep name": ["a.b.c.d.e.example.com"],
    "a deep suffix": [".a.b.c.d.e.example.com"],
    "siblings": [".example.com", ".example.org", ".example.net"],
    "names that end alike": ["ample.com", "notexample.com", ".sample.com"],
    "a top level": [".test"],
    "a bare label": ["localhost", "intranet"],
    "the original template's": [".amazonaws.com", "registry.hub.docker.io"],
    "docker": ["registry-1.docker.io", "auth.docker.io", "production.cloudfront.docker.com"],
    "regional services": [f".{service}.eu-west-2.amazonaws.com" for service in (
        "dkr.ecr", "api.ecr", "s3", "sts", "ec2", "logs")],
    "upper case": ["Example.COM", ".EXAMPLE.org"],
    "punycode": ["xn--bcher-kva.example", ".xn--p1ai"],
    "hyphens and underscores": ["my-host.example.com", "_dmarc.example.com", ".a-b.example.org"],
    "digits": ["1.example.com", "2x.example.org", ".3com.com"],
    "addresses": ["127.0.0.9", "127.0.0.10", "example.com"],
    "many": [f"host{n}.example.com" for n in range(300)] + [f".zone{n}.example.org" for n in
                                                            range(300)],
    "stars": ["*.example.com", "example.org"],
    "entries with ports": ["example.com:443", "example.org"],
    "what a pointer leads to": [".pointed.example"],
}

ADMITTED, REFUSED, MALFORMED = "admitted", "refused", "malformed"

# By our rules these are no host names at all: empty labels, octets, numbers that others take for
# addresses, an address in another form, labels and names that are too long.
_MALFORMED = re.compile(
    r"(^\.|\.\.|[^A-Za-z0-9._-]|(^|\.)(\d+|0[xX][0-9a-fA-F]*)\.?$|[^.]{64}|^.{254})")


def is_address(host):
    return re.fullmatch(r"127\.\d+\.\d+\.\d+", host) is not None


def entry_that_starts(entries, mark, host):
    """Whether an entry `*.x` or `x:443` names the host, as we read it."""
    folded = host.lower().rstrip(".")
    if mark == "*.":
        return any(folded.endswith(e[1:]) for e in entries if e.startswith("*."))
    return any(folded == e.split(":")[0] for e in entries if ":" in e)


# name: (what Squid and we say, whether it is about that host and list, the rule of ours)
DIFFERENCES = {
    "a malformed host": (
        {(ADMITTED, MALFORMED), (REFUSED, MALFORMED)},
        lambda entries, host: not is_address(host) and _MALFORMED.search(host),
        "what is no host name is a 400, before any list is asked"),
    "an address by its pointer": (
        {(ADMITTED, REFUSED)},
        lambda entries, host: is_address(host) and host not in entries,
        "an address never matches a name: Squid asks reverse DNS, whose answer its owner writes"),
    "an entry with a star": (
        {(REFUSED, ADMITTED)},
        lambda entries, host: entry_that_starts(entries, "*.", host),
        "`*.x` is every name below x; Squid takes it for a name and never matches it"),
    "an entry with a port": (
        {(REFUSED, ADMITTED)},
        lambda entries, host: entry_that_starts(entries, ":", host),
        "`x:443` is x on that port; Squid takes it for a name and never matches it"),
}


def hosts_for(entries, rng):
    """Hosts on, around and beside the names of a list."""
    names = [e.split(":")[0].lstrip("*.") for e in entries]
    labels = ["www", "api", "a", "x-1", "_srv", "xn--bcher-kva", "0", "1a", "com", "example"]
    # What each list is asked at least once: every kind of host that DIFFERENCES knows.
    yield from ("127.0.0.9", "127.0.0.11", "127.0.0.12", "127.1", "0x7f.0.0.1", "2130706433", "..",
                ".example.com", "a..example.com", "a" * 64 + ".example.com", "example.com..",
                ".".join(["a" * 50] * 6) + ".example.com", "localhost", "com", "a%2eexample.com")
    for _ in range(HOSTS_PER_LIST - 15):
        name, label = rng.choice(names), rng.choice(labels)
        yield rng.choice([
            lambda: name,
            lambda: f"{label}.{name}",
            lambda: f"{label}.{rng.choice(labels)}.{name}",
            lambda: f"{label}{name}",                                   # no label boundary
            lambda: f"{label}-{name}",
            lambda: f"{name}.{label}",
            lambda: f"{name}.evil.example",
            lambda: name.partition(".")[2] or name,                     # its parent
            lambda: name[1:] or name,
            lambda: name[:-1] or name,
            lambda: "".join(rng.choice([c.lower(), c.upper()]) for c in name),
            lambda: f"{name}.",
            lambda: f"{label}.{name}.",
            lambda: name.replace(".", "-"),
            lambda: name.replace("e", "3"),
            lambda: f"{label}..{name}",
            lambda: f".{name}",
        ])()


def ask(proxy, host, port):
    with proxy.connect() as sock:
        sock.settimeout(20)
        sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = b""
        while b"\r\n" not in head:
            got = sock.recv(4096)
            if not got:
                raise AssertionError(f"{host}: closed after {head!r}")
            head += got
    status_line = head.split(b"\r\n")[0].decode("latin-1")
    status = int(status_line.split()[1])
    if status == 403:
        # The list let it pass; it is the address guard that did not.
        return ADMITTED if "forbidden-address" in status_line else REFUSED
    # Squid answers a host that it cannot read with 400, and one that it cannot resolve with 5xx.
    return MALFORMED if status == 400 else ADMITTED


class SquidDifferential(unittest.TestCase):
    def setUp(self):
        if not Squid.PROGRAM:
            self.skipTest("squid-openssl is not installed")
        zone = {".": Answer("127.0.0.1", ttl=600),
                "11.0.0.127.in-addr.arpa": Answer(pointer="host.pointed.example")}
        for label in ("com", "org", "net", "test", "io", "example", "localhost", "intranet",
                      "xn--p1ai"):
            zone["." + label] = Answer("127.0.0.1", ttl=600)
        try:
            self.dns = DnsServer(zone, address="127.0.0.53", port=53)
        except OSError as error:
            self.skipTest(f"port 53 of 127.0.0.53: {error}")
        self.addCleanup(self.dns.close)
        self.origin = TcpOrigin()
        self.addCleanup(self.origin.close)
        threading.Thread(target=self.accept_all, daemon=True).start()

    def accept_all(self):
        while True:
            try:
                self.origin.accept(patience=None).close()
            except OSError:
                return

    def test_both_decide_alike_but_for_the_differences_named(self):
        rng, port = random.Random(SEED), self.origin.port
        unexplained, seen, asked = [], {name: 0 for name in DIFFERENCES}, 0
        for title, entries in LISTS.items():
            entries = [entry.replace(":443", f":{port}") for entry in entries]
            with Squid(allow=entries, nameserver=self.dns.address) as squid, \
                    Gateway(allow=entries, dns=self.dns) as gateway:
                for host in hosts_for(entries, rng):
                    both = ask(squid, host, port), ask(gateway, host, port)
                    asked += 1
                    if both[0] == both[1]:
                        continue
                    for name, (outcomes, is_about, _) in DIFFERENCES.items():
                        if both in outcomes and is_about(entries, host):
                            seen[name] += 1
                            break
                    else:
                        unexplained.append(f"{title}: {host}: Squid {both[0]}, we {both[1]}")
        print(f"{asked} hosts asked; differences: {seen}")
        self.assertEqual([], unexplained[:20], f"{len(unexplained)} unexplained differences")
        self.assertEqual([], [name for name, count in seen.items() if not count],
                         "these differences were not seen")


if __name__ == "__main__":
    main()

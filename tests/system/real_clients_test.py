"""Programs that people use, through the gateway: what the list has passes, whatever the client,
and the same request is refused when the list lacks it, before the origin hears of it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import urlsplit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.certificates import Authority  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.testing import main  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
NAME = "www.origin.test"
TIMEOUT = 60  # seconds; for the machine's own registries


def run(*command, env=None, **options):
    """The finished process. No proxy and no trust store of the machine's own stays in force."""
    clean = {name: value for name, value in os.environ.items()
             if not name.lower().endswith("_proxy") and name not in (
                 "GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")}
    return subprocess.run([str(part) for part in command], env={**clean, **(env or {})},
                          stdin=options.pop("stdin", subprocess.DEVNULL), capture_output=True,
                          text=True, errors="replace", timeout=TIMEOUT, check=False, **options)


class LocalOrigins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority("*.origin.test")
        cls.addClassCleanup(cls.authority.close)
        cls.dns = DnsServer({".origin.test": Answer("127.0.0.1")})
        cls.addClassCleanup(cls.dns.close)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ebbgate-clients-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.clear, cls.tls = HttpOrigin(cls.answer), HttpOrigin(cls.answer, cls.authority)
        cls.addClassCleanup(cls.clear.close)
        cls.addClassCleanup(cls.tls.close)
        cls.http, cls.https = (f"{scheme}://{NAME}:{origin.port}"
                               for scheme, origin in (("http", cls.clear), ("https", cls.tls)))
        cls.gateway = Gateway(allow=[NAME], dns=cls.dns)
        cls.addClassCleanup(cls.gateway.kill)
        cls.closed = Gateway(allow=["other.test"], dns=cls.dns)
        cls.addClassCleanup(cls.closed.kill)

    @classmethod
    def answer(cls, seen):
        """What both origins serve: files of the folder, and what a client sent, sent back."""
        if seen.method in ("POST", "PUT"):
            return f"{seen.method} {len(seen.body)} {seen.body[:20].decode('latin-1')}".encode()
        if seen.target == "/chunked":
            return (b"part %d;" % number for number in range(1000))
        file = cls.folder / seen.target.partition("?")[0].lstrip("/")
        return file.read_bytes() if file.is_file() else (200, {}, b"hello")

    def assert_both(self, command, expected, env=lambda url: {}, port=None):
        """`command(proxy)` succeeds and prints `expected`; refused, it fails and prints none of
        it, the origin hears nothing, and the refusal is in the log."""
        passed = run(*command(self.gateway), env=env(self.gateway.url))
        self.assertEqual(0, passed.returncode, passed.stderr)
        self.assertIn(expected, passed.stdout + passed.stderr)
        heard = len(self.clear.seen) + len(self.tls.seen)
        refused = run(*command(self.closed), env=env(self.closed.url))
        self.assertNotEqual(0, refused.returncode, refused.stdout)
        self.assertNotIn(expected, refused.stdout + refused.stderr)
        self.assertEqual(heard, len(self.clear.seen) + len(self.tls.seen))
        self.assertTrue(self.closed.wait_for_event(verdict="DENY", reason="not-allowed", host=NAME))
        return refused

    def curl(self, *arguments):
        return lambda proxy: ["curl", "-sSf", "--cacert", self.authority.file, "-x", proxy.url,
                              *arguments]

    def test_curl_connect(self):
        refused = self.assert_both(self.curl(f"{self.https}/"), "hello")
        self.assertIn("403", refused.stderr)

    def test_curl_http(self):
        self.assert_both(self.curl(f"{self.http}/"), "hello")

    def test_curl_http_1_0(self):
        self.assert_both(self.curl("--http1.0", f"{self.http}/chunked"), "part 999;")

    def test_curl_chunked_answer(self):
        self.assert_both(self.curl(f"{self.http}/chunked"), "part 999;")

    def test_curl_uploads_with_expect(self):
        file = self.folder / "upload"
        file.write_bytes(b"u" * 3_000_000)  # large enough that curl says `Expect: 100-continue`
        for base in (self.http, self.https):
            with self.subTest(base):
                self.assert_both(self.curl("-T", file, f"{base}/x"), "PUT 3000000 uuuu")

    def test_curl_uploads_chunked(self):
        self.assert_both(self.curl("-H", "Transfer-Encoding: chunked", "-d", "abc", f"{self.http}/x"),
                         "POST 3 abc")

    def test_curl_several_requests_on_one_connection(self):
        self.assert_both(self.curl(*[f"{self.http}/?{n}" for n in range(20)]), "hello" * 20)

    def test_curl_proxytunnel_to_a_clear_origin_is_not_tls(self):
        """`--proxytunnel` to a port other than 80 is an opaque tunnel, in which TLS is expected."""
        result = run(*self.curl("--proxytunnel", f"{self.http}/")(self.gateway))
        self.assertNotEqual(0, result.returncode)
        self.assertTrue(self.gateway.wait_for_event(verdict="DENY", reason="not-tls", host=NAME))

    def test_curl_proxytunnel_to_port_80(self):
        with self.port_80() as origin:
            result = run(*self.curl("--proxytunnel", "http://eighty.origin.test/")(self.with_80))
            self.assertEqual((0, "eighty"), (result.returncode, result.stdout), result.stderr)
            self.assertEqual("eighty.origin.test", origin.seen[0].headers["Host"])

    def test_wget(self):
        for name, base in (("http_proxy", self.http), ("https_proxy", self.https)):
            with self.subTest(base):
                self.assert_both(
                    lambda proxy, base=base: ["wget", "-q", "-O", "-", "--tries=1",
                                              f"--ca-certificate={self.authority.file}", f"{base}/"],
                    "hello", env=lambda url, name=name: {name: url})

    def test_openssl_s_client(self):
        self.assert_both(
            lambda proxy: ["openssl", "s_client", "-proxy", f"127.0.0.1:{proxy.port}", "-connect",
                           f"{NAME}:{self.tls.port}", "-servername", NAME, "-CAfile",
                           self.authority.file, "-verify_return_error", "-brief"],
            "Verification: OK")

    def test_git_clones_over_https(self):
        source, number = self.folder / "source", [0]
        for command in (["init", "-q", source], ["-C", source, "-c", "user.name=t", "-c",
                        "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "seen"],
                        ["clone", "-q", "--bare", source, self.folder / "repository.git"],
                        ["-C", self.folder / "repository.git", "update-server-info"]):
            self.assertEqual(0, run("git", *command).returncode)

        def clone(proxy):
            number[0] += 1
            target = self.folder / f"clone{number[0]}"
            return ["sh", "-c", 'git -c http.proxy="$1" -c http.sslCAInfo="$2" clone -q "$3" "$4" '
                    '&& git -C "$4" log --format=%s', "sh", proxy.url, self.authority.file,
                    f"{self.https}/repository.git", target]

        self.assert_both(clone, "seen")

    def test_python_requests(self):
        try:
            import requests
        except ImportError:
            self.skipTest("python3-requests is not installed")
        for base in (self.http, self.https):
            with self.subTest(base), requests.Session() as session:
                session.trust_env, session.verify = False, str(self.authority.file)

                def proxies(proxy):
                    return {"http": proxy.url, "https": proxy.url}

                for body in (b"x" * 100_000, iter([b"x"] * 100)):  # with a length, and chunked
                    answer = session.post(f"{base}/", data=body, proxies=proxies(self.gateway))
                    self.assertRegex(answer.text, "^POST 100(000)? x")
                if base == self.http:
                    answer = session.get(f"{base}/", proxies=proxies(self.closed))
                    self.assertEqual(403, answer.status_code)
                else:
                    with self.assertRaisesRegex(requests.exceptions.ProxyError, "403"):
                        session.get(f"{base}/", proxies=proxies(self.closed))

    def node(self, url):
        if not (HERE / "node" / "node_modules").is_dir():
            self.skipTest("tests/system/node has no node_modules (npm ci)")
        return lambda proxy: ["node", HERE / "node" / "fetch.mjs", proxy.url, url]

    def test_node_fetch_over_tls(self):
        trust = {"NODE_EXTRA_CA_CERTS": str(self.authority.file)}
        self.assert_both(self.node(f"{self.https}/"), "hello", env=lambda url: trust)

    def test_node_fetch_opens_a_tunnel_to_port_80_for_http(self):
        with self.port_80() as origin:
            result = run(*self.node("http://eighty.origin.test/")(self.with_80))
            self.assertEqual((0, "eighty"), (result.returncode, result.stdout), result.stderr)
            self.assertEqual("/", origin.seen[0].target)

    def port_80(self):
        """An origin on port 80 of an address of loopback that nobody else uses, and with_80."""
        address = f"127.{os.getpid() >> 16 & 255}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 | 2}"
        try:
            origin = HttpOrigin(lambda seen: b"eighty", address=address, port=80)
        except PermissionError:
            self.skipTest("port 80 is not ours to listen on")
        self.dns.zone["eighty.origin.test"] = Answer(address)
        self.with_80 = Gateway(allow=["eighty.origin.test:80"], dns=self.dns)
        self.addCleanup(self.with_80.kill)
        return origin


class MachineRegistries(unittest.TestCase):
    """One real package each from where this machine gets its own, with only those hosts allowed.
    These two need the network, and say so where there is none."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ebbgate-registry-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def check(self, urls, fetch, fetched):
        """`fetch(proxy URL or None)` is the command, run in the folder, in which it leaves a file
        that `fetched` names by a glob. Refused, it leaves none."""
        hosts = sorted({urlsplit(url).hostname for url in urls})
        if not hosts:
            self.skipTest("this machine's configuration names no host")
        direct = run(*fetch(None), cwd=self.folder)
        if direct.returncode:
            self.skipTest(f"{', '.join(hosts)}: not reachable: {direct.stderr.strip()[-200:]}")
        self.clear(fetched)
        allow = [f"{urlsplit(url).hostname}:{urlsplit(url).port or (80 if url.startswith('http:') else 443)}"
                 for url in urls]
        # A registry's host may resolve to a special-purpose address inside a company.
        inside = [flag for host in hosts for address in self.special_addresses(host)
                  for flag in ("--allow-private", address)]
        with Gateway(*inside, allow=sorted(set(allow)), loopback=False) as gateway:
            result = run(*fetch(gateway.url), cwd=self.folder)
            self.assertEqual(0, result.returncode, result.stderr + result.stdout)
            self.assertTrue(self.clear(fetched), "no package was fetched")
            self.assertTrue(gateway.wait_for_event(verdict="ALLOW", host=hosts[0]))
        with Gateway(allow=["other.test"], loopback=False) as gateway:
            result = run(*fetch(gateway.url), cwd=self.folder)
            self.assertNotEqual(0, result.returncode)
            self.assertFalse(self.clear(fetched))
            self.assertTrue(gateway.wait_for_event(verdict="DENY", reason="not-allowed"))

    def clear(self, pattern):
        found = list(pathlib.Path(self.folder).glob(pattern))
        for file in found:
            file.unlink()
        return found

    @staticmethod
    def special_addresses(host):
        import ipaddress
        import socket
        try:
            found = {info[4][0] for info in socket.getaddrinfo(host, None)}
        except OSError:
            return []
        return sorted(a for a in found if not ipaddress.ip_address(a).is_global)

    def test_apt(self):
        package = "hostname"  # 11 KB, and in every Debian
        listed = run("apt-get", "download", "--print-uris", package)
        urls = [line.split("'")[1] for line in listed.stdout.splitlines() if line.startswith("'http")]
        if not urls:
            self.skipTest("apt knows no URL of a package here")

        def fetch(proxy):
            through = [f"-oAcquire::{scheme}::Proxy={proxy or 'DIRECT'}"
                       for scheme in ("http", "https")]
            return ["apt-get", "-q", "download", "-oAPT::Sandbox::User=root",
                    "-oAcquire::Retries=0", *through, package]

        self.check(urls, fetch, "*.deb")

    def test_npm(self):
        package = "ms@2.1.3"  # 7 KB, no dependencies
        if not shutil.which("npm"):
            self.skipTest("npm is not installed")
        registry = run("npm", "config", "get", "registry").stdout.strip()
        try:
            tarball = run("npm", "view", package, "dist.tarball", "--fetch-retries=0").stdout.strip()
        except subprocess.TimeoutExpired:
            tarball = ""
        if not tarball:
            self.skipTest(f"{registry} is not reachable")

        def fetch(proxy):
            through = [f"--proxy={proxy}", f"--https-proxy={proxy}"] if proxy else []
            cache = tempfile.mkdtemp(dir=self.folder)
            return ["npm", "pack", "--silent", "--fetch-retries=0", f"--cache={cache}", *through,
                    package]

        self.check([registry, tarball], fetch, "*.tgz")


if __name__ == "__main__":
    main()

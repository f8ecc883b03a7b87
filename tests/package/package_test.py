"""What `./dev package` made, installed and run: the programs in a root that holds nothing else, the
.deb in a Debian of its own, digests and signature with plain programs, and the same octets again
(the image: image_test.py).
Run by `./dev package --check`, as root; EBBGATE_PACKAGES is where the packages are."""

import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))
from harness.certificates import Authority  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.testing import Case, main  # noqa: E402

PACKAGES = pathlib.Path(os.environ.get("EBBGATE_PACKAGES", TOP / "build" / "package")).resolve()
TARBALLS = {re.fullmatch(r"ebbgate-(.*)-linux-(.*)\.tar\.gz", file.name)[2]: file
            for file in sorted(PACKAGES.glob("ebbgate-*.tar.gz"))}
# Those of a rebuild (--revision) end in its number.
REVISION = next((int(found[1]) for file in TARBALLS.values()
                 if (found := re.search(r"^ebbgate-[\d.]+-(\d+)-linux", file.name))), 0)
QEMU = shutil.which("qemu-aarch64-static")
NAMESERVER = "127.0.0.253"  # port 53 of an address that nothing else uses


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=300, check=False, **options)


def is_foreign(architecture):
    return architecture == "arm64" and os.uname().machine != "aarch64"


class EmptyRoot(Case):
    """The program with nothing around it: no loader, library, /etc, /tmp or /dev."""

    def roots(self):
        """(architecture, directory, words that run the program in it)."""
        for architecture, file in TARBALLS.items():
            with self.subTest(architecture=architecture):
                emulator = []
                root = self.scratch()
                if is_foreign(architecture):
                    if not QEMU:
                        self.skipTest("there is no qemu-aarch64-static: arm64 was not run")
                    shutil.copy(QEMU, root / "qemu")
                    emulator = ["/qemu"]
                with tarfile.open(file) as tar:
                    program = next(each for each in tar if each.name.endswith("/ebbgate"))
                    (root / "ebbgate").write_bytes(tar.extractfile(program).read())
                (root / "ebbgate").chmod(0o755)
                yield architecture, root, ["chroot", str(root), *emulator, "/ebbgate"]

    def wrapper(self, words):
        """A file that can be run as if it were the program."""
        file = self.scratch() / "ebbgate"
        file.write_text("#!/bin/sh\nexec " + " ".join(words) + ' "$@"\n')
        file.chmod(0o755)
        return file

    def test_it_says_its_version(self):
        for _, _, words in self.roots():
            done = run(*words, "--version")
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertRegex(done.stdout, r"^ebbgate \d+\.\d+\.\d+")

    def test_what_it_knows_is_inside(self):
        """The bundles, the Public Suffix List, the tables of Unicode."""
        for _, root, words in self.roots():
            listed = run(*words, "bundles", "list")
            self.assertIn("docker-hub", listed.stdout, listed.stderr)
            (root / "policy.yaml").write_text(
                "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: { name: all }\n"
                "spec: { allow: [ { bundle: docker-hub }, { hosts: [bücher.test] } ] }\n")
            done = run(*words, "check", "policy.yaml")
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            done = run(*words, "explain", "xn--bcher-kva.test:443", "--policy", "policy.yaml")
            self.assertIn("ALLOW", done.stdout, done.stderr)
            done = run(*words, "check", "--allow", ".github.io")
            self.assertRegex(done.stdout + done.stderr, "(?i)strangers|anyone|every")

    def test_it_serves_a_tunnel_and_a_request(self):
        """With its DNS servers from a flag, and from /etc/resolv.conf."""
        authority = Authority("origin.test")
        self.addCleanup(authority.close)
        secure = self.enter(HttpOrigin(lambda seen: b"secure", authority))
        clear = self.enter(HttpOrigin(lambda seen: b"clear"))
        zone = {"origin.test": Answer("127.0.0.1")}
        given = self.enter(DnsServer(zone))
        configured = self.enter(DnsServer(zone, address=NAMESERVER, port=53))
        for architecture, root, words in self.roots():
            (root / "etc").mkdir()
            (root / "etc" / "resolv.conf").write_text(f"nameserver {NAMESERVER}\n")
            for server in (given, configured):
                with self.subTest(dns="flag" if server is given else "resolv.conf"):
                    asked = len(server.names_asked())
                    gateway = self.enter(Gateway(
                        program=self.wrapper(words), allow=["origin.test"],
                        dns=given if server is given else None))
                    context = ssl.create_default_context(cafile=authority.file)
                    with gateway.client() as client:
                        answer = client.connect(f"origin.test:{secure.port}")
                        self.assertEqual(200, answer.status, answer.headers)
                        with context.wrap_socket(client.sock,
                                                 server_hostname="origin.test") as inside:
                            inside.sendall(b"GET / HTTP/1.1\r\nHost: origin.test\r\n"
                                           b"Connection: close\r\n\r\n")
                            got = b"".join(iter(functools.partial(inside.recv, 4096), b""))
                    self.assertTrue(got.endswith(b"secure"), got)
                    with gateway.client() as client:
                        self.assertEqual(b"clear",
                                         client.get(f"http://origin.test:{clear.port}/").body)
                    with gateway.client() as client:
                        self.assertEqual(403, client.connect("other.test:443").status)
                    self.assertGreater(len(server.names_asked()), asked)
                    self.assertEqual(0, gateway.stop())

    def test_it_passes_the_wire_tests(self):
        """Every script of tests/wire, as what crossed over might behave otherwise."""
        scripts = sorted((TOP / "tests" / "wire").glob("*.wire"))
        self.assertTrue(scripts)
        for architecture, _, words in self.roots():
            # Not in its root: the scripts keep their files in /tmp.
            program = self.wrapper([word.replace("/ebbgate", f"{words[1]}/ebbgate")
                                    .replace("/qemu", f"{words[1]}/qemu") for word in words[2:]])
            environment = {**os.environ, "EBBGATE_BINARY": str(program),
                           "PYTHONPATH": str(TOP / "tests")}
            failed = {}
            for script in scripts:
                done = run(sys.executable, TOP / "tests" / "wire" / "run.py", script,
                           env=environment)
                if done.returncode not in (0, 77):
                    failed[script.name] = (done.stdout + done.stderr)[-600:]
            self.assertEqual({}, failed)


class Archives(Case):
    def test_the_digests_are_those_of_the_files(self):
        done = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=PACKAGES)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        listed = {line.split()[1] for line in (PACKAGES / "SHA256SUMS").read_text().splitlines()}
        there = {file.name for file in PACKAGES.glob("ebbgate*")}
        self.assertEqual(there, listed)

    def test_the_same_program_gives_the_same_octets_and_a_signature(self):
        again, keys = self.scratch(), self.scratch()
        for command in (("genpkey", "-algorithm", "ed25519", "-out", keys / "key.pem"),
                        ("pkey", "-in", keys / "key.pem", "-pubout", "-out", keys / "pub.pem")):
            self.assertEqual(0, run("openssl", *command).returncode)
        revision = ("--revision", REVISION) if REVISION else ()
        done = run(TOP / "tools" / "package", *TARBALLS, *revision, "--output", again,
                   env={**os.environ, "EBBGATE_SIGNING_KEY": str(keys / "key.pem")})
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual((PACKAGES / "SHA256SUMS").read_text(), (again / "SHA256SUMS").read_text())

        verify = ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys / "pub.pem", "-rawin",
                  "-in", "SHA256SUMS", "-sigfile", "SHA256SUMS.sig")
        self.assertEqual(0, run(*verify, cwd=again).returncode)
        sums = (again / "SHA256SUMS").read_text()
        (again / "SHA256SUMS").write_text(sums.replace("a", "b", 1))
        self.assertNotEqual(0, run(*verify, cwd=again).returncode)

    def test_the_tarball_has_one_program_and_a_unit_that_names_it(self):
        """deploy/cloudformation/gateway.yaml finds both by their names."""
        for file in TARBALLS.values():
            with tarfile.open(file) as tar:
                files = [each for each in tar if each.isfile()]
                [program] = [each for each in files if each.name.endswith("/ebbgate")]
                [unit] = [each for each in files if each.name.endswith("/ebbgate.service")]
                self.assertEqual(0o755, program.mode)
                self.assertIn(b"ExecStart=/usr/local/bin/ebbgate run",
                              tar.extractfile(unit).read())

    def test_the_bill_of_materials_tells_what_was_linked(self):
        for architecture, file in TARBALLS.items():
            bill = json.loads(file.with_name(
                file.name.removesuffix(".tar.gz") + ".spdx.json").read_text())
            self.assertEqual("SPDX-2.3", bill["spdxVersion"])
            packages = {each["SPDXID"]: each for each in bill["packages"]}
            linked = {each["relatedSpdxElement"] for each in bill["relationships"]
                      if each["relationshipType"] == "STATIC_LINK"}
            self.assertLessEqual({"SPDXRef-libssl-dev", "SPDXRef-libc6-dev",
                                  "SPDXRef-libstdc---12-dev", "SPDXRef-libc-ares-dev"}, linked)
            for identity in linked:
                package = packages[identity]
                self.assertNotEqual("NOASSERTION", package["licenseDeclared"], package["name"])
                self.assertRegex(package["externalRefs"][0]["referenceLocator"],
                                 r"^pkg:deb/debian/[^?]+@[^?]+\?arch=\w+&distro=debian-12&upstream=")
            with tarfile.open(file) as tar:
                root = tar.getnames()[0]
                program = tar.extractfile(f"{root}/ebbgate").read()
                self.assertEqual(packages["SPDXRef-ebbgate"]["checksums"][0]["checksumValue"],
                                 hashlib.sha256(program).hexdigest())
                for identity in packages.keys() - {"SPDXRef-ebbgate"}:
                    tar.getmember(f"{root}/licenses/{packages[identity]['name']}/copyright")


def debian_mirror():
    """Where this machine's own apt has Debian 12 from."""
    told = run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)",
               "Created-By: Packages").stdout
    for line in told.splitlines():
        release, _, uri = line.partition(" ")
        if release == "bookworm":
            return uri
    raise unittest.SkipTest("this machine's apt has no Debian 12")


@unittest.skipUnless(shutil.which("debootstrap"), "there is no debootstrap")
@unittest.skipUnless("x86-64" in TARBALLS, "no package for this machine was made")
class Deb(Case):
    """In a minimal Debian 12, made once and copied."""

    BASE = TOP / "build" / "package-check" / "bookworm"
    STORY = TOP / "tests" / "package" / "deb_story.sh"

    @classmethod
    def setUpClass(cls):
        if not (cls.BASE / "complete").exists():
            shutil.rmtree(cls.BASE, ignore_errors=True)
            cls.BASE.parent.mkdir(parents=True, exist_ok=True)
            done = run("debootstrap", "--variant=minbase", "--include=systemd,ca-certificates,curl",
                       "bookworm", cls.BASE, debian_mirror())
            if done.returncode:
                raise unittest.SkipTest("debootstrap failed: " + done.stdout[-300:])
            (cls.BASE / "complete").touch()

    def test_install_run_upgrade_remove_purge(self):
        root = self.scratch() / "root"
        self.assertEqual(0, run("cp", "-a", self.BASE, root).returncode)
        newer = self.scratch()
        done = run(TOP / "tools" / "package", "x86-64", "--revision", REVISION + 1,
                   "--output", newer)
        self.assertEqual(0, done.returncode, done.stderr)
        [old] = PACKAGES.glob("ebbgate_*_amd64.deb")
        [new] = newer.glob("ebbgate_*_amd64.deb")
        shutil.copy(old, root / "old.deb")
        shutil.copy(new, root / "new.deb")
        shutil.copy(self.STORY, root / "story.sh")
        done = run("unshare", "--mount", "--pid", "--fork", "--net", "sh", "-c",
                   'mount -t proc proc "$1/proc" && ip link set lo up && mount --bind /dev "$1/dev"'
                   ' && exec chroot "$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:'
                   '/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -eu /story.sh', "x", root)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        print(done.stdout)


if __name__ == "__main__":
    main()

"""The container image that `./dev image` or `./dev package` made: whole, small, the same octets again,
and run as a cluster would, as user 65532 on a read-only root. Run by their --check, as root;
EBBGATE_PACKAGES is where it is."""

import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tarfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))
from harness.testing import Case, main  # noqa: E402

PACKAGES = pathlib.Path(os.environ.get("EBBGATE_PACKAGES", TOP / "build" / "image")).resolve()
OWN = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
DOCUMENTS = "usr/share/doc/ebbgate/"
# A container's root as runtimes make it: what is in the image, and nothing of it can be written.
IN_ROOT = ('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && root=$1 && shift'
           ' && exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups= "$root" "$@"')


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=300, check=False)


class Archive:
    """An OCI image layout in a tar (image-spec, image-layout.md)."""

    def __init__(self, file):
        with tarfile.open(file) as tar:
            self.blobs = {name.rpartition("/")[2]: tar.extractfile(name).read()
                          for name in tar.getnames() if re.search("/[0-9a-f]{64}$", name)}
            self.version = json.load(tar.extractfile("oci-layout"))["imageLayoutVersion"]
            [self.top] = json.load(tar.extractfile("index.json"))["manifests"]
        many = "index" in self.top["mediaType"]
        self.manifests = [self.load(each) for each in
                          (self.load(self.top)["manifests"] if many else [self.top])]

    def blob(self, descriptor):
        content = self.blobs[descriptor["digest"].removeprefix("sha256:")]
        assert len(content) == descriptor["size"]
        return content

    def load(self, descriptor):
        return json.loads(self.blob(descriptor))


class Image(Case):
    @classmethod
    def setUpClass(cls):
        [cls.file] = PACKAGES.glob("ebbgate-*-linux.oci.tar")
        cls.archive = Archive(cls.file)
        cls.version = re.fullmatch(r"ebbgate-(.*)-linux\.oci\.tar", cls.file.name)[1]

    def unpacked(self, manifest):
        """(configuration, the image's file system as a folder, the entries of its layers)."""
        folder, entries = self.scratch() / "root", []
        folder.mkdir()
        for layer in manifest["layers"]:
            packed = folder.with_name("layer")
            packed.write_bytes(self.archive.blob(layer))
            with tarfile.open(packed) as tar:
                entries += tar.getmembers()
            done = run("tar", "-xzf", packed, "-C", folder)
            self.assertEqual("", done.stderr)
        return self.archive.load(manifest["config"]), folder, entries

    def test_it_is_whole_and_says_what_it_is(self):
        self.assertEqual("1.0.0", self.archive.version)
        self.assertEqual(self.version,
                         self.archive.top["annotations"]["org.opencontainers.image.ref.name"])
        for digest, content in self.archive.blobs.items():
            self.assertEqual(digest, hashlib.sha256(content).hexdigest())
        for manifest in self.archive.manifests:
            config = self.archive.load(manifest["config"])
            own = config["config"]
            self.assertEqual(("65532:65532", "SIGTERM", ["/usr/bin/ebbgate"]),
                             (own["User"], own["StopSignal"], own["Entrypoint"]))
            for named in (own["Labels"], manifest["annotations"]):
                self.assertEqual(self.version, named["org.opencontainers.image.version"])
                self.assertEqual(config["created"], named["org.opencontainers.image.created"])
                self.assertEqual("Apache-2.0", named["org.opencontainers.image.licenses"])

    def test_it_holds_the_program_its_materials_and_nothing_to_run_besides(self):
        architectures = set()
        for manifest in self.archive.manifests:
            config, root, entries = self.unpacked(manifest)
            architectures.add(config["architecture"])
            for each in entries:
                self.assertEqual((0, 0, 0), (each.uid, each.gid, each.mode & 0o7022), each.name)
            programs = [each.name for each in entries if each.isfile() and each.mode & 0o111]
            self.assertEqual(["usr/bin/ebbgate"], programs)
            self.assertEqual({"etc", "usr"}, {path.name for path in root.iterdir()})
            bill = json.loads((root / DOCUMENTS / "ebbgate.spdx.json").read_text())
            own = next(each for each in bill["packages"] if each["SPDXID"] == "SPDXRef-ebbgate")
            self.assertEqual(own["checksums"][0]["checksumValue"], hashlib.sha256(
                (root / "usr/bin/ebbgate").read_bytes()).hexdigest())
            for each in bill["packages"]:
                if each["SPDXID"] != "SPDXRef-ebbgate":
                    self.assertTrue((root / DOCUMENTS / "licenses" / each["name"] /
                                     "copyright").is_file(), each["name"])
            self.assertIn("BEGIN CERTIFICATE",
                          (root / "etc/ssl/certs/ca-certificates.crt").read_text())
        self.assertEqual(len(self.archive.manifests), len(architectures))

    def test_it_runs_without_privilege_on_a_read_only_root(self):
        for manifest in self.archive.manifests:
            config, root, _ = self.unpacked(manifest)
            if config["architecture"] != OWN:
                continue
            start = ["unshare", "--mount", "sh", "-c", IN_ROOT, "sh", root,
                     *config["config"]["Entrypoint"]]
            said = run(*start, "--version")
            self.assertEqual((0, ""), (said.returncode, said.stderr))
            self.assertTrue(said.stdout.startswith("ebbgate " + self.version.partition("-")[0]))
            (root / "etc/ebbgate/config.yaml").write_text(
                'listen: ["127.0.0.1:0"]\nadmin: "off"\nallow: [a.test]\n')
            gateway = subprocess.Popen([*start, *config["config"]["Cmd"]], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                ready = next((line for line in gateway.stderr if "ebbgate: ready" in line), "")
                port = int(re.search(r"127\.0\.0\.1:(\d+)", ready)[1])
                status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text()
                for line in ("Uid:\t" + "\t".join(["65532"] * 4), "CapEff:\t" + "0" * 16,
                             "NoNewPrivs:\t1"):
                    self.assertIn(line, status)
                with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                    client.sendall(b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n")
                    self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 403 "))
                self.assertIn("other.test:443", gateway.stdout.readline())
            finally:
                gateway.terminate()
                gateway.communicate(timeout=30)
            self.assertEqual(0, gateway.returncode)
            return
        self.skipTest("no image for this machine was made")

    def test_made_again_it_has_the_same_octets(self):
        again = self.scratch()
        names = {"amd64": "x86-64"}
        made = [self.archive.load(each["config"])["architecture"]
                for each in self.archive.manifests]
        found = re.search(r"-(\d+)$", self.version)
        done = run(TOP / "tools" / "package", "--image-only", *(names.get(each, each) for each in made),
                   *(("--revision", found[1]) if found else ()), "--output", again)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(self.file.read_bytes(), (again / self.file.name).read_bytes())


if __name__ == "__main__":
    main()

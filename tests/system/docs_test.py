"""The documents say what is true: each example in README.md and docs/ is run as a reader would.

What stands behind the language of a fenced block says what the block is:
  ```yaml policy [FILE]   a policy document; `ebbgate check` has to accept it
  ```yaml config [FILE]   a file of settings, likewise
  ```text list [FILE]     a plain list, likewise
  ```console tested       commands behind `$ `, and what they print; `…` stands for any text
A FILE is where the reader saves it, and where the commands find it. The commands of a document run
one after the other in one shell, in a network of its own, where every name is a server of ours."""

import difflib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.certificates import Authority  # noqa: E402
from harness.gateway import BINARY  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.process import PATIENCE  # noqa: E402
from harness.testing import SKIPPED, main  # noqa: E402
from layers_test import ALLOWED  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = ["deb.debian.org", "github.com", "gist.github.com", "example.com", "example.net",
         "intranet.example"]
PUBLIC, PRIVATE = "151.101.2.132", "10.9.0.7"

BLOCK = re.compile(r"^( *)```(.*)\n((?:.*\n)*?) *```$", re.M)


class Block:
    """A fenced block: the words behind its fence, its text, and where it stands."""

    def __init__(self, path, found):
        indent, words, text = found.groups()
        self.words = words.split()
        self.text = "".join(line.removeprefix(indent) for line in text.splitlines(True))
        number = found.string.count("\n", 0, found.start()) + 1
        self.place = f"{path.relative_to(ROOT)}:{number}"

    @property
    def kind(self):
        return " ".join(self.words[:2])

    @property
    def file(self):
        return self.words[2] if len(self.words) > 2 else None


def blocks(path):
    return [Block(path, found) for found in BLOCK.finditer(path.read_text())]


def enter_own_network():
    """Runs this program again in network and mount namespaces of its own."""
    if os.environ.get("EBBGATE_DOCS_INSIDE"):
        return
    unshare = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        print("SKIPPED: no network namespace of its own is to be had", flush=True)
        sys.exit(SKIPPED)
    os.environ["EBBGATE_DOCS_INSIDE"] = "1"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def prepare_network(folder):
    """All names lead to this machine, by addresses that are none of its own."""
    def run(*command):
        subprocess.run(command, check=True)
    run("ip", "link", "set", "lo", "up")
    for address in (PUBLIC, PRIVATE):
        run("ip", "route", "add", "local", address, "dev", "lo", "src", "127.0.0.1")
    hosts = "".join(f"{PRIVATE if name.startswith('intranet') else PUBLIC} {name}\n"
                    for name in NAMES)
    for name, text in (("hosts", f"127.0.0.1 localhost\n{hosts}"),
                       ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")):
        (folder / name).write_text(text)
        run("mount", "--bind", folder / name, f"/etc/{name}")


def commands(text):
    """The commands of a console block, each with the output that is promised."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command += "\n" + more.removeprefix("> ")
        yield command, output


# What differs from run to run.
VARIABLE = [
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b\d{10}\.\d{3} +\d+ ", "TIME ELAPSED "),
    (r'("id": ?"|\(id |^id: +|id=)[0-9A-Za-z_-]{16}', r"\1ID"),
    (r"\b[0-9a-f]{12}\b", "VERSION"),
    (r'("(?:durationMs|connectMs|bytesIn|bytesOut)": ?)\d+', r"\1N"),
    (r"\bprocess \d+", "process N"),
    (r"OpenSSL/[\w.]+", "OpenSSL"),
]


def plain(text):
    for expression, stand_in in VARIABLE:
        text = re.sub(expression, stand_in, text, flags=re.M)
    return text


def agrees(actual, promised):
    expression = re.escape(plain(promised)).replace("…", "(?:.|\n)*")
    return re.fullmatch(expression, plain(actual)) is not None


class Shell:
    """A bash that is given commands one after the other."""

    def __init__(self, folder, environment):
        self._process = subprocess.Popen(
            ["bash", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0)
        self._mark = "@@ the command has ended"

    def run(self, command):
        self._process.stdin.write(f"{command}\necho '{self._mark}'\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.strip().endswith(self._mark):
                lines.append(line.strip().removesuffix(self._mark))
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended at: {command}")

    def close(self):
        try:
            os.killpg(self._process.pid, 9)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="ebbgate-docs-")
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        prepare_network(cls.scratch)
        cls.authority = Authority(*NAMES)
        cls.addClassCleanup(cls.authority.close)
        for port, authority in ((443, cls.authority), (80, None)):
            origin = HttpOrigin(lambda seen: b"hello\n", authority, address="0.0.0.0", port=port)
            cls.addClassCleanup(origin.close)

    def folder_of(self, path):
        """What a reader has: the program, deploy/, and the files that the document has him save."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        (folder / "build" / "release").mkdir(parents=True)
        (folder / "build" / "release" / "ebbgate").symlink_to(BINARY)
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        for block in blocks(path):
            if block.file:
                (folder / block.file).write_text(block.text)
        return folder

    def test_policies_settings_and_lists_are_valid(self):
        words = {"yaml policy": ["--policy"], "yaml config": ["--config"],
                 "text list": ["--allow-file"]}
        checked = 0
        for path in DOCUMENTS:
            folder = self.folder_of(path)
            for block in blocks(path):
                if block.kind not in words:
                    continue
                with self.subTest(block.place):
                    file = folder / (block.file or "example.yaml")
                    file.write_text(block.text)
                    done = subprocess.run([BINARY, "check", *words[block.kind], file.name],
                                          cwd=folder, capture_output=True, text=True, timeout=60)
                    self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                    checked += 1
        self.assertGreater(checked, 5)

    def test_every_example_of_a_policy_is_marked_as_one(self):
        for path in DOCUMENTS:
            for block in blocks(path):
                if block.words[:1] == ["yaml"] and "apiVersion: ebbgate" in block.text:
                    self.assertEqual("yaml policy", block.kind, block.place)

    def shell(self, path):
        environment = {**os.environ, "CURL_CA_BUNDLE": str(self.authority.file),
                       "EBBGATE_DOCS_INSIDE": ""}
        for name in list(environment):
            if name.lower().endswith("_proxy"):
                del environment[name]
        return Shell(self.folder_of(path), environment)

    def run_document(self, path):
        shell = self.shell(path)
        try:
            for block in blocks(path):
                if block.kind != "console tested":
                    continue
                for command, promised in commands(block.text):
                    self.run_command(shell, block.place, command, promised)
        finally:
            shell.close()

    def run_command(self, shell, place, command, promised):
        actual, deadline = shell.run(command), time.monotonic() + PATIENCE
        pause = threading.Event()
        if command.endswith("&"):
            while not listens(3128) and time.monotonic() < deadline:
                pause.wait(0.01)
        # A reader is slower than a reload: what is not there yet is asked for once more.
        while not agrees(actual, promised) and time.monotonic() < deadline:
            pause.wait(0.2)
            actual = shell.run(command)
        if not agrees(actual, promised):
            difference = "\n".join(difflib.unified_diff(
                promised.splitlines(), actual.splitlines(), "promised", "printed", lineterm=""))
            self.fail(f"{place}: $ {command}\n{difference}")

    def test_the_picture_of_the_first_minute_is_true(self):
        picture = ElementTree.parse(ROOT / "docs" / "images" / "first-minute.svg").getroot()
        client = next(group for group in picture if group.get("id") == "client")
        text = ""
        for line in client.findall("{*}text"):
            words = "".join(line.itertext())
            if "more" in line.get("class").split():  # the line before it was too long
                text = text.rstrip("\n") + " " + words + "\n"
            elif line.get("class") != "title":
                text += words + "\n"
        shell = self.shell(ROOT / "README.md")
        try:
            gateway = "build/release/ebbgate run --policy deploy/sample-policy.yaml >log 2>&1 &"
            for command, promised in [(gateway, ""), *commands(text)]:
                self.run_command(shell, "first-minute.svg", command, promised)
        finally:
            shell.close()

    def test_commands_print_what_is_promised(self):
        ran = 0
        for path in DOCUMENTS:
            if any(block.kind == "console tested" for block in blocks(path)):
                ran += 1
                with self.subTest(str(path.relative_to(ROOT))):
                    self.run_document(path)
        self.assertGreater(ran, 0)

    def test_every_package_of_the_build_has_its_reason(self):
        listed = (ROOT / "tools" / "packages.txt").read_text()
        packages = re.search(r"^\[build\]\n((?:.+\n)+)", listed, re.M)[1].split()
        reasons = (ROOT / "docs" / "dependencies.md").read_text()
        self.assertEqual([], [name for name in packages if f"`{name}`" not in reasons])

    def test_the_table_of_layers_is_the_one_that_is_enforced(self):
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        rows = dict(re.findall(r"^\| L\d \| `src/(\w+)` \|.*\| (.*?) \|$",
                               (ROOT / "ARCHITECTURE.md").read_text(), re.M))
        enforced = {name: ALLOWED[name] & folders for name in folders}
        written = {name: folders - {name} if deps == "all" else set(deps.split()) - {"–"}
                   for name, deps in rows.items()}
        enforced["app"] -= {"app"}
        self.assertEqual(enforced, written)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_the_unit_is_one_that_systemd_understands(self):
        folder = self.folder_of(ROOT / "docs" / "operations.md")
        unit = folder / "deploy" / "systemd" / "ebbgate.service"
        unit.write_text(unit.read_text().replace("/usr/local/bin/ebbgate", BINARY))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))

    def test_links_between_documents_lead_somewhere(self):
        others = [ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md",
                                           "CHANGELOG.md")]
        for path in [*DOCUMENTS, *others]:
            for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
                if "://" not in target:
                    self.assertTrue((path.parent / target).exists(),
                                    f"{path.relative_to(ROOT)}: no {target}")


if __name__ == "__main__":
    enter_own_network()
    main()

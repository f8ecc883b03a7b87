"""The includes of src/ keep to the table of ARCHITECTURE.md: no include points up, the parts that
decide hold no socket or thread, and a third-party type stays in the folder that owns it."""

import pathlib
import re
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"

# folder: the other folders whose headers it may include.
_PLAIN = {
    "base": "",
    "http": "base",
    "hello": "base",
    "policy": "base",
    "config": "base policy",
    "noproxy": "base",
    "analyse": "base policy config",
    "net": "base",
    "dns": "base net",
    "tls": "base net",
    "identity": "base policy",
    "observe": "base policy",
    "https": "base http net dns tls",
    "proxy": "base http hello policy noproxy analyse net dns tls identity observe",
    "admin": "base http policy net tls observe",
    "kube": "base config policy net dns tls https identity",
    "webhook": "base http net tls config policy noproxy kube",
    "aws": "base http https net tls policy identity observe",
    "source": "base config policy net https aws kube",
    "fleet": "base net https observe aws",
    "alert": "base policy net observe https aws",
    "deploy": "base config policy noproxy net dns https aws kube",
    "rehearsal": "base config",
}
ALLOWED = {folder: set(deps.split()) for folder, deps in _PLAIN.items()}
ALLOWED["app"] = set(ALLOWED)

# Third-party headers, by the start of their path, and the folders that may include them at all.
OWNERS = {
    "ares": {"dns"},
    "openssl/": {"config", "tls", "observe", "aws", "source"},
    "yaml-cpp/": {"config", "policy"},
    "nlohmann/": {"observe", "admin", "kube", "webhook", "aws", "config", "analyse", "source",
                  "alert", "fleet", "deploy", "app"},
    "CLI/": {"app"},
    "spdlog/": {"app"},
    "nghttp2/": {"proxy", "http"},
    "expat": {"aws"},
    "libpsl": {"policy"},
    "idn2": {"policy"},
    "fmt/": None,  # anywhere, as it leaves no trace in an interface; not in headers all the same
    "boost/": set(),  # the fuzz targets' oracle only
    "systemd/": {"app"},
    "zlib": {"analyse"},
}

# Folders that are plain functions over values: nothing there waits, listens or is shared.
PURE = {"base", "http", "hello", "policy", "noproxy"}
IMPURE_HEADERS = re.compile(
    r"^(sys/(socket|epoll|eventfd|timerfd|un|wait|mman)\.h|netdb\.h|poll\.h|unistd\.h|pthread\.h"
    r"|thread|future|condition_variable|coroutine|fstream|iostream)$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def is_test(path):
    return path.stem.endswith(("_test", "_bench"))


def files():
    return sorted(p for p in SOURCE.rglob("*") if p.suffix in (".h", ".cc"))


def includes(path):
    return INCLUDE.findall(path.read_text())


def folder_of(path):
    return path.relative_to(SOURCE).parts[0]


class Layers(unittest.TestCase):
    def check(self, fault_of):
        faults = []
        for path in files():
            for quote, name in includes(path):
                fault = fault_of(path, quote == '"', name)
                if fault:
                    faults.append(f"src/{path.relative_to(SOURCE)} includes {name}: {fault}")
        self.assertEqual([], faults, "\n" + "\n".join(faults))

    def test_every_folder_is_in_the_table(self):
        unknown = {folder_of(path) for path in files()} - set(ALLOWED)
        self.assertEqual(set(), unknown)

    def test_the_table_has_no_circle(self):
        done, left = set(), dict(ALLOWED)
        while left:
            free = [folder for folder, deps in left.items() if deps <= done]
            self.assertTrue(free, f"a circle among {sorted(left)}")
            done.update(free)
            for folder in free:
                del left[folder]

    def test_no_include_points_up(self):
        def fault(path, ours, name):
            other = name.split("/")[0]
            if not ours or other == folder_of(path):
                return None
            if other not in ALLOWED:
                return "not the path of a header under src/"
            if other not in ALLOWED[folder_of(path)]:
                return f"{folder_of(path)} stands below or beside {other}"
            return None
        self.check(fault)

    def test_detail_is_private_to_its_folder(self):
        self.check(lambda path, ours, name:
                   "it is another folder's detail" if ours and "/detail/" in name
                   and name.split("/")[0] != folder_of(path) else None)

    def test_no_header_shows_a_third_party_type_to_another_folder(self):
        def fault(path, ours, name):
            if ours or path.suffix != ".h" or "detail" in path.parts:
                return None
            return next(("a third-party type would cross the folder's border"
                         for start in OWNERS if name.startswith(start)), None)
        self.check(fault)

    def test_third_party_headers_are_included_by_their_owners_only(self):
        def fault(path, ours, name):
            if ours:
                return None
            for start, owners in OWNERS.items():
                if name.startswith(start) and owners is not None and folder_of(path) not in owners:
                    return f"only {', '.join(sorted(owners)) or 'fuzz/'} may"
            return None
        self.check(fault)

    def test_the_parts_that_decide_hold_no_socket_thread_or_coroutine(self):
        self.check(lambda path, ours, name:
                   f"{folder_of(path)} is plain functions over values"
                   if not ours and folder_of(path) in PURE and not is_test(path)
                   and IMPURE_HEADERS.match(name) else None)

    def test_files_stay_readable_in_one_sitting(self):
        long = [f"src/{p.relative_to(SOURCE)}" for p in files()
                if not is_test(p) and len(p.read_text().splitlines()) > 700]
        self.assertEqual([], long)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)

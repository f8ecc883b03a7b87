"""A gateway that has run out of descriptors: what is kept for possible use makes room."""

import os
import pathlib
import resource
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.testing import main  # noqa: E402


class Descriptors(unittest.TestCase):
    def test_kept_origin_connections_make_room_for_a_client(self):
        with (HttpOrigin(lambda seen: b"hello") as origin,
              DnsServer({".test": Answer("127.0.0.1")}) as dns,
              Gateway(allow=[".test"], dns=dns) as gateway, gateway.client() as first):
            for name in "abcdefgh":
                response = first.get(f"http://{name}.test:{origin.port}/")
                self.assertEqual(200, response.status)
            used = {int(fd) for fd in os.listdir(f"/proc/{gateway.pid}/fd")}
            free = next(fd for fd in range(len(used) + 1) if fd not in used)
            _, hard = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (free, hard))
            with gateway.client() as client:
                self.assertEqual(200, client.get(f"http://a.test:{origin.port}/").status)


main()

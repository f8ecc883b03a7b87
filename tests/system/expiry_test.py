"""An entry with `expires` warns before, stops at its moment without a reload, and shows in metrics."""

import datetime
import http.client
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import Gateway  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import main  # noqa: E402

POLICY = """apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: x}
spec:
  allow:
    - {hosts: ["127.0.0.1:1"], expires: %s}
    - {hosts: ["127.0.0.1:2"], expires: 2020-01-01T00:00:00Z}
    - {hosts: ["127.0.0.1:3"], expires: 2200-01-01T00:00:00Z}
"""


def status_line(gateway, port):
    with gateway.connect() as client:
        client.settimeout(20)
        client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return client.recv(4096).split(b"\r\n")[0].decode()


def gauges(gateway):
    connection = http.client.HTTPConnection(*gateway.listeners["admin"][0], timeout=20)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return [int(line.split()[1]) for name in ("expiring", "expired") for line in lines
            if line.startswith(f"ebbgate_policy_entries_{name} ")]


class Expiry(unittest.TestCase):
    def test_an_entry_ends_at_its_moment_without_a_reload(self):
        ends = time.time() + 3
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "policy.yaml"
            moment = datetime.datetime.fromtimestamp(int(ends) + 1, datetime.timezone.utc)
            path.write_text(POLICY % moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
            with Gateway("--policy", path, admin="127.0.0.1:0") as gateway:
                said = "\n".join(gateway.err.all())
                self.assertIn("policy.yaml:6:7: warning: the entry expires within a week", said)
                self.assertIn("policy.yaml:7:7: warning: the entry has expired", said)
                self.assertNotIn("policy.yaml:8:7", said)
                self.assertEqual([1, 1], gauges(gateway))
                self.assertIn(" 502 ", status_line(gateway, 1), "allowed: nobody listens there")
                self.assertIn(" 403 expired", status_line(gateway, 2))
                wait_until(lambda: time.time() > moment.timestamp(), what="the moment")
                self.assertIn(" 403 expired", status_line(gateway, 1))
                self.assertEqual([0, 2], gauges(gateway))
                self.assertIn(" 502 ", status_line(gateway, 3))
                self.assertEqual(1, sum("is in force" in line for line in gateway.err.all()))


if __name__ == "__main__":
    main()

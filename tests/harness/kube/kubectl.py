"""kubectl as a client of the tests' API server, of whatever version is installed."""

import json
import os
import shutil
import subprocess

from .case import KubeCase

KUBECTL = shutil.which("kubectl")


def version():
    """The minor version of kubectl."""
    said = subprocess.run([KUBECTL, "version", "--client", "-o", "json"], capture_output=True,
                          check=True, timeout=60)
    return int(json.loads(said.stdout)["clientVersion"]["minor"].rstrip("+"))


class KubectlCase(KubeCase):
    def setUp(self):
        if not KUBECTL:
            self.skipTest("kubectl is not installed (kubernetes-client)")
        super().setUp()
        self.environment = {**os.environ, "HOME": str(self.scratch()),
                            "KUBECONFIG": str(self.cluster.kubeconfig(self.scratch()))}

    def kubectl(self, *arguments, given=None, code=0):
        """Its output; the test fails where it ends with another code."""
        done = subprocess.run([KUBECTL, *map(str, arguments)], env=self.environment, timeout=60,
                              input=given, text=True, capture_output=True)
        self.assertEqual(code, done.returncode, f"{arguments}\n{done.stdout}\n{done.stderr}")
        self.said = done.stderr
        return done.stdout

    def apply(self, document, *more):
        return self.kubectl("apply", *more, "-f", "-", given=json.dumps(document))

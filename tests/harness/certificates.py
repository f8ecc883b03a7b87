"""A certificate authority for one test run, made by the openssl program."""

import pathlib
import subprocess
import tempfile


class Authority:
    """Signs certificates for `names`; `file` is what clients take as their trust store."""

    def __init__(self, *names):
        self._folder = tempfile.TemporaryDirectory(prefix="ebbgate-ca-")
        folder = pathlib.Path(self._folder.name)
        self.file, self.certificate, self.key = (folder / n for n in ("ca.pem", "leaf.pem", "leaf.key"))
        ca_key, request, extensions = folder / "ca.key", folder / "leaf.csr", folder / "leaf.ext"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n")
        self._openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", self.file, "-days", "2",
                      "-subj", "/CN=Ebbgate test authority",
                      "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign")
        self._openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=origin")
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", ca_key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions,
                      "-out", self.certificate)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def close(self):
        self._folder.cleanup()

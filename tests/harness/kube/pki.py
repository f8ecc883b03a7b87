"""The cluster's certificate authority: the server's certificate and those of clients, made by the
openssl program."""

import pathlib
import subprocess
import tempfile

_NAMES = ("IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
          "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local")


def _openssl(*arguments, **options):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options)


class Pki:
    """`ca` is the file that clients trust; `server` a pair of files, certificate and key."""

    def __init__(self, names=_NAMES):
        self._folder = tempfile.TemporaryDirectory(prefix="ebbgate-kube-ca-")
        self.folder = pathlib.Path(self._folder.name)
        self.ca, self._key = self.folder / "ca.crt", self.folder / "ca.key"
        _openssl("req", "-x509", *self._new(self._key), "-out", self.ca, "-days", "2", "-subj",
                 "/CN=kubernetes", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                 "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign")
        self.server = self._sign("server", "/CN=kube-apiserver",
                                 f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")

    @staticmethod
    def _new(key):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                key]

    def _sign(self, name, subject, extensions):
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        request, text = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        text.write_text(extensions)
        _openssl("req", *self._new(key), "-out", request, "-subj", subject)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key,
                 "-CAcreateserial", "-days", "2", "-extfile", text, "-out", certificate)
        return certificate, key

    def client(self, user, groups=()):
        """A client certificate: files of the certificate and of its key."""
        name = "client-" + "".join(c if c.isalnum() else "-" for c in user)
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._sign(name, subject, "extendedKeyUsage=clientAuth\n")

    def serving(self, names):
        """A certificate for another server of the cluster, such as a webhook: `names` as in
        "DNS:webhook.ebbgate-system.svc,IP:127.0.0.1"."""
        name = "serving-" + "".join(c if c.isalnum() else "-" for c in names)[:60]
        return self._sign(name, "/CN=serving",
                          f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")

    def close(self):
        self._folder.cleanup()

"""A plain client of the API, for tests that want to see what is on the wire."""

import http.client
import json
import ssl


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def warnings(self):
        return [value for key, value in self.headers if key.lower() == "warning"]


class Api:
    """Asks a Cluster as the bearer of `token` (the administrator; "" is nobody), or of a client
    certificate (a pair of files)."""

    def __init__(self, cluster, token=None, certificate=None, patience=20):
        self._cluster, self._patience = cluster, patience
        self.token = cluster.admin if token is None and not certificate else token
        self._context = ssl.create_default_context(cafile=str(cluster.pki.ca))
        if certificate:
            self._context.load_cert_chain(*certificate)

    def _connection(self):
        return http.client.HTTPSConnection(self._cluster.address, self._cluster.port,
                                           timeout=self._patience, context=self._context)

    def _send(self, method, path, body, kind, headers):
        connection = self._connection()
        fields = {"Accept": "application/json", "User-Agent": "tests/1.0", **headers}
        if self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            fields["Content-Type"] = kind
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            connection.request(method, path, body, fields)
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def ask(self, method, path, body=None, kind="application/json", **headers):
        connection, response = self._send(method, path, body, kind, headers)
        try:
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            response.close()
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, body, **headers):
        return self.ask("POST", path, body, **headers)

    def put(self, path, body, **headers):
        return self.ask("PUT", path, body, **headers)

    def delete(self, path, body=None, **headers):
        return self.ask("DELETE", path, body, **headers)

    def patch(self, path, body, kind="merge", **headers):
        """`kind`: merge, json, strategic-merge or apply."""
        return self.ask("PATCH", path, body, "application/apply-patch+yaml" if kind == "apply"
                        else f"application/{kind}-patch+json", **headers)

    def watch(self, path, **headers):
        """Yields (type, object), until the server ends it."""
        connection, response = self._send("GET", path, None, None, headers)
        try:
            if response.status != 200:
                raise AssertionError(f"{response.status}: {response.read()}")
            while line := response.readline():
                event = json.loads(line)
                yield event["type"], event["object"]
        finally:
            response.close()
            connection.close()

"""What a request asks for, by its path and query, as the API's conventions have it
(k8s.io/apiserver, RequestInfo), and the journal's line of it."""

import re
import urllib.parse

from .errors import ApiError, no_such_path

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get",
          "HEAD": "get"}
# Subresources of a namespace; whatever else comes behind its name lives in it.
_OF_NAMESPACE = ("status", "finalize")


class Call:
    """One line of the journal. `user` is a name; `parameters` the query; `body` what was sent, once
    it is parsed; `resource` the plural, or None with `path` alone."""

    def __init__(self, request, now):
        self.request, self.time, self.path = request, now, request.path
        self.parameters = dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
        self.user = self.group = self.version = self.resource = self.namespace = self.name = None
        self.subresource, self.body, self.status, self.fault = "", None, None, None
        self.verb = _VERBS.get(request.method, request.method.lower())
        self.content_type = request.header("content-type", "").partition(";")[0].strip()
        self.answered = None  # the body of the answer, where it was no stream
        self._parse()

    def _parse(self):
        parts = [urllib.parse.unquote(part) for part in self.path.split("/")[1:]]
        if parts[0] == "api" and len(parts) > 2:
            self.group, self.version, parts = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            self.group, self.version, parts = parts[1], parts[2], parts[3:]
        else:
            return
        if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in _OF_NAMESPACE:
            self.namespace, parts = parts[1], parts[2:]
        self.resource, parts = parts[0], parts[1:]
        if parts:
            self.name, parts = parts[0], parts[1:]
        self.subresource = "/".join(parts)
        if self.resource == "namespaces" and self.group == "" and self.name:
            self.namespace = self.name  # as authorization and admission see it
        self.authorized_name = self.name
        if self.verb == "get" and self.name is None:
            self.verb = "watch" if self.parameters.get("watch") in ("", "1", "true") else "list"
            found = re.fullmatch(r"metadata\.name==?([^,!=]+)",
                                 self.parameters.get("fieldSelector", ""))
            self.authorized_name = found and found[1]  # a rule with resourceNames covers it
        elif self.verb == "delete" and self.name is None:
            self.verb = "deletecollection"

    def flag(self, name):
        value = self.parameters.get(name)
        if value in (None, "false", "0", "False"):
            return False
        if value in ("true", "1", "True", ""):
            return True
        raise ApiError(400, f'strconv.ParseBool: parsing "{value}": invalid syntax')

    def number(self, name):
        value = self.parameters.get(name) or None
        if value is None:
            return None
        if not value.isdigit():
            raise ApiError(400, f'strconv.ParseInt: parsing "{value}": invalid syntax')
        return int(value)

    def dry_run(self):
        value = self.parameters.get("dryRun")
        if value not in (None, "", "All"):
            raise ApiError(422, f'dryRun: Unsupported value: "{value}": supported values: "All"')
        return value == "All"

    def manager(self):
        """Who is named in managedFields."""
        said = self.parameters.get("fieldManager")
        return said or self.request.header("user-agent", "unknown").partition("/")[0][:128]

    def __repr__(self):
        where = "/".join(filter(None, (self.namespace, self.name, self.subresource)))
        what = f"{self.resource or self.path} {where}".strip()
        return (f"<{self.user} {self.verb} {what} {self.status}"
                f"{' ' + self.fault if self.fault else ''}>")


def resource_of(call, catalogue):
    """The Resource that a call is about; 404 and 405 where there is none that fits."""
    resource = catalogue.find(call.group, call.version, call.resource)
    if resource is None:
        raise no_such_path()
    if call.subresource and call.subresource not in resource.subresources:
        raise no_such_path()
    if call.namespace and not resource.namespaced and resource.plural != "namespaces":
        raise no_such_path()
    if resource.namespaced and not call.namespace and call.verb not in (
            "list", "watch", "create") or (call.verb == "create" and call.name
                                           and not call.subresource):
        raise ApiError(405, "the server does not allow this method on the requested resource")
    return resource

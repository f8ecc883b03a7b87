"""Who may what: Roles and ClusterRoles, bound to users, groups and service accounts."""

import collections

# `verb` with either `path`, or a resource. `subresource` is "", `name` None where there is none.
Attributes = collections.namedtuple(
    "Attributes", "verb group resource subresource namespace name path",
    defaults=("", "", "", None, None, None))

_API = "rbac.authorization.k8s.io/v1"
READ, WRITE = ["get", "list", "watch"], ["create", "delete", "deletecollection", "patch", "update"]


def _rule(groups, resources, verbs):
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


_VIEWED = [
    _rule([""], ["configmaps", "endpoints", "pods", "services", "serviceaccounts", "events",
                 "namespaces", "pods/log", "pods/status"], READ),
    _rule(["apps"], ["daemonsets", "deployments", "replicasets", "statefulsets"], READ),
    _rule(["networking.k8s.io"], ["networkpolicies", "ingresses"], READ),
    _rule(["policy"], ["poddisruptionbudgets"], READ),
    _rule(["autoscaling"], ["horizontalpodautoscalers"], READ),
]
_EDITED = [
    _rule([""], ["secrets"], READ),
    _rule([""], ["configmaps", "pods", "secrets", "services", "serviceaccounts", "events"], WRITE),
    _rule(["apps"], ["daemonsets", "deployments", "replicasets", "statefulsets"], WRITE),
    _rule(["networking.k8s.io"], ["networkpolicies", "ingresses"], WRITE),
    _rule(["policy"], ["poddisruptionbudgets"], WRITE),
]
_LABEL = "rbac.authorization.k8s.io/aggregate-to-"


def _role(name, rules, **more):
    return {"apiVersion": _API, "kind": "ClusterRole",
            "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults",
                                                  **more.pop("labels", {})}},
            "rules": rules, **more}


def _aggregated(name, *labels):
    return _role(name, [], aggregationRule={"clusterRoleSelectors": [
        {"matchLabels": {_LABEL + label: "true"}} for label in labels]})


def _binding(role, *groups):
    return {"apiVersion": _API, "kind": "ClusterRoleBinding", "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}
                         for group in groups]}


def defaults():
    """The roles and bindings that every cluster has."""
    paths = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    yield _role("cluster-admin", [_rule(["*"], ["*"], ["*"]),
                                  {"nonResourceURLs": ["*"], "verbs": ["*"]}])
    yield _role("system:aggregate-to-view", _VIEWED, labels={_LABEL + "view": "true"})
    yield _role("system:aggregate-to-edit", _EDITED, labels={_LABEL + "edit": "true"})
    yield _role("system:aggregate-to-admin", [_rule(
        ["rbac.authorization.k8s.io"], ["roles", "rolebindings"], READ + WRITE)],
        labels={_LABEL + "admin": "true"})
    yield _aggregated("view", "view")
    yield _aggregated("edit", "edit", "view")
    yield _aggregated("admin", "admin", "edit", "view")
    yield _role("system:discovery", [{"nonResourceURLs": [
        "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *paths], "verbs": ["get"]}])
    yield _role("system:public-info-viewer", [{"nonResourceURLs": paths, "verbs": ["get"]}])
    yield _role("system:basic-user", [
        _rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
              ["create"]),
        _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"])])
    yield _binding("cluster-admin", "system:masters")
    yield _binding("system:discovery", "system:authenticated")
    yield _binding("system:basic-user", "system:authenticated")
    yield _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated")


def _within(value, allowed):
    return "*" in allowed or value in allowed


def _covers(rule, asked):
    if not _within(asked.verb, rule.get("verbs", [])):
        return False
    if asked.path is not None:
        return any(asked.path == each or (each.endswith("*") and asked.path.startswith(each[:-1]))
                   for each in rule.get("nonResourceURLs", []))
    resource = asked.resource + (f"/{asked.subresource}" if asked.subresource else "")
    resources = rule.get("resources", [])
    return (_within(asked.group, rule.get("apiGroups", []))
            and (_within(resource, resources)
                 or bool(asked.subresource) and f"*/{asked.subresource}" in resources)
            and (not rule.get("resourceNames") or asked.name in rule["resourceNames"]))


def _is_subject(subject, user, namespace):
    if subject["kind"] == "User":
        return subject["name"] == user.name
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    space = subject.get("namespace", namespace)
    return user.name == f"system:serviceaccount:{space}:{subject['name']}"


class Authorization:
    """`objects(plural)` gives all objects of a type of this group."""

    def __init__(self, objects):
        self._objects = objects

    def allows(self, user, asked):
        if "system:masters" in user.groups:
            return True
        return any(_covers(rule, asked) for rule in self.rules(user, asked.namespace))

    def rules(self, user, namespace):
        """The rules that hold for the user in a namespace (None: in the cluster)."""
        for binding in self._objects("clusterrolebindings"):
            if any(_is_subject(each, user, None) for each in binding.get("subjects") or []):
                yield from self._of(binding["roleRef"], None)
        for binding in self._objects("rolebindings") if namespace else ():
            space = binding["metadata"]["namespace"]
            if space == namespace and any(_is_subject(each, user, space)
                                          for each in binding.get("subjects") or []):
                yield from self._of(binding["roleRef"], space)

    def _of(self, reference, namespace):
        kind = "roles" if reference["kind"] == "Role" else "clusterroles"
        for role in self._objects(kind):
            metadata = role["metadata"]
            if metadata["name"] != reference["name"] or (
                    kind == "roles" and metadata["namespace"] != namespace):
                continue
            yield from role.get("rules") or []
            for selector in role.get("aggregationRule", {}).get("clusterRoleSelectors", []):
                for other in self._objects("clusterroles"):
                    labels = other["metadata"].get("labels", {})
                    if all(labels.get(key) == value
                           for key, value in selector["matchLabels"].items()):
                        yield from other.get("rules") or []

    def may_write(self, user, resource, document, namespace):
        """Nobody grants what he has not got (RBAC, "Privilege escalation prevention and
        bootstrapping"): the rights that are missing, as text, or None."""
        kind = resource.plural
        if kind in ("roles", "clusterroles"):
            wanted, verb, name = document.get("rules") or [], "escalate", None
        else:
            wanted = list(self._of(document["roleRef"], namespace))
            verb, name = "bind", document["roleRef"]["name"]
            kind = "roles" if document["roleRef"]["kind"] == "Role" else "clusterroles"
        if self.allows(user, Attributes(verb, resource.group, kind, "", namespace, name)):
            return None
        held = list(self.rules(user, namespace))
        missing = [each for each in wanted if not all(
            any(_covers(rule, asked) for rule in held) for asked in _expanded(each))]
        return "; ".join(map(str, missing)) or None


def _expanded(rule):
    for verb in rule.get("verbs", []):
        for path in rule.get("nonResourceURLs", []):
            yield Attributes(verb, path=path)
        for group in rule.get("apiGroups", []):
            for resource in rule.get("resources", []):
                plural, _, subresource = resource.partition("/")
                for name in rule.get("resourceNames") or [None]:
                    yield Attributes(verb, group, plural, subresource, None, name)

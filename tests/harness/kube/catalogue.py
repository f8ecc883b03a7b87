"""Which types an API server has: the built-in ones that somebody here uses, and how one of them is
found by its path, its kind or its short name."""


class Resource:
    """One served version of a type. `storage` names what it is stored as: versions of one type
    share it. `schema` is a custom type's, `printer` its columns."""

    def __init__(self, group, version, plural, kind, namespaced=True, short=(), subresources=(),
                 categories=(), storage=None, singular=None, list_kind=None, schema=None,
                 columns=None, selectable_fields=(), custom=False, preferred=True, verbs=None,
                 deprecation=None):
        self.group, self.version, self.plural, self.kind = group, version, plural, kind
        self.namespaced, self.short, self.subresources = namespaced, list(short), set(subresources)
        self.categories, self.singular = list(categories), singular or kind.lower()
        self.list_kind = list_kind or kind + "List"
        self.storage = storage or (group, plural)
        self.schema, self.columns, self.custom = schema, columns, custom
        self.selectable_fields, self.preferred = selectable_fields, preferred
        self.verbs, self.deprecation = verbs or VERBS, deprecation

    @property
    def api_version(self):
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self):
        """As messages name it: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def has_generation(self):
        return self.custom or self.plural in GENERATIONS

    def __repr__(self):
        return f"<{self.api_version} {self.plural}>"


VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
CREATE = ["create"]

# Of the built-in types, those whose metadata.generation counts changes of the spec.
GENERATIONS = {"pods", "daemonsets", "deployments", "replicasets", "statefulsets", "jobs",
               "networkpolicies", "poddisruptionbudgets", "customresourcedefinitions",
               "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "ingresses",
               "cronjobs"}

_CORE = [
    ("namespaces", "Namespace", False, ["ns"], ["status"]),
    ("pods", "Pod", True, ["po"], ["status", "binding", "eviction", "ephemeralcontainers",
                                   "log"]),
    ("services", "Service", True, ["svc"], ["status"]),
    ("endpoints", "Endpoints", True, ["ep"], []),
    ("configmaps", "ConfigMap", True, ["cm"], []),
    ("secrets", "Secret", True, [], []),
    ("serviceaccounts", "ServiceAccount", True, ["sa"], ["token"]),
    ("resourcequotas", "ResourceQuota", True, ["quota"], ["status"]),
    ("events", "Event", True, ["ev"], []),
    ("nodes", "Node", False, ["no"], ["status"]),
]
_REST = [
    ("apps/v1", "daemonsets", "DaemonSet", True, ["ds"], ["status"]),
    ("apps/v1", "deployments", "Deployment", True, ["deploy"], ["status"]),
    ("apps/v1", "replicasets", "ReplicaSet", True, ["rs"], ["status"]),
    ("apps/v1", "statefulsets", "StatefulSet", True, ["sts"], ["status"]),
    ("batch/v1", "jobs", "Job", True, [], ["status"]),
    ("batch/v1", "cronjobs", "CronJob", True, ["cj"], ["status"]),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, ["hpa"],
     ["status"]),
    ("coordination.k8s.io/v1", "leases", "Lease", True, [], []),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", True, [], []),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", True, ["netpol"], []),
    ("networking.k8s.io/v1", "ingresses", "Ingress", True, ["ing"], ["status"]),
    ("networking.k8s.io/v1", "servicecidrs", "ServiceCIDR", False, [], ["status"]),
    ("networking.k8s.io/v1", "ipaddresses", "IPAddress", False, ["ip"], []),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True, ["pdb"], ["status"]),
    ("rbac.authorization.k8s.io/v1", "roles", "Role", True, [], []),
    ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", True, [], []),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False, [], []),
    ("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", False, [], []),
    ("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", False, ["pc"], []),
    ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations",
     "MutatingWebhookConfiguration", False, [], []),
    ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations",
     "ValidatingWebhookConfiguration", False, [], []),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", False,
     ["crd", "crds"], ["status"]),
]
# Asked, never stored.
_REVIEWS = [
    ("authentication.k8s.io/v1", "tokenreviews", "TokenReview", False),
    ("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", False),
    ("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
    ("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
    ("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", False),
    ("authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", True),
]
_ALL = {"pods", "services", "daemonsets", "deployments", "replicasets", "statefulsets",
        "horizontalpodautoscalers", "jobs", "cronjobs"}


def _built_in():
    for plural, kind, namespaced, short, subresources in _CORE:
        yield Resource("", "v1", plural, kind, namespaced, short, subresources,
                       ["all"] if plural in _ALL else [],
                       deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 "
                       "EndpointSlice" if plural == "endpoints" else None)
    for api, plural, kind, namespaced, short, subresources in _REST:
        group, _, version = api.partition("/")
        yield Resource(group, version, plural, kind, namespaced, short, subresources,
                       ["all"] if plural in _ALL else
                       ["api-extensions"] if group in ("admissionregistration.k8s.io",
                                                       "apiextensions.k8s.io") else [])
    yield Resource("events.k8s.io", "v1", "events", "Event", True, ["ev"],
                   storage=("", "events"))
    for api, plural, kind, namespaced in _REVIEWS:
        group, _, version = api.partition("/")
        yield Resource(group, version, plural, kind, namespaced, verbs=CREATE)


class Catalogue:
    """The built-in types, and the custom ones that CustomResourceDefinitions bring."""

    def __init__(self):
        self._by_path = {(each.group, each.version, each.plural): each for each in _built_in()}

    def find(self, group, version, plural):
        return self._by_path.get((group, version, plural))

    def get(self, name):
        """By `pods`, `deployments.apps` or a storage key, for tests and for ourselves."""
        if isinstance(name, Resource):
            return name
        for each in self._by_path.values():
            if name in (each.plural, each.qualified, each.storage) and each.preferred:
                return each
        raise KeyError(name)

    def of_kind(self, api_version, kind):
        for each in self._by_path.values():
            if (each.api_version, each.kind) == (api_version, kind):
                return each
        raise KeyError(f"{api_version} {kind}")

    def all(self):
        return list(self._by_path.values())

    def add(self, resource):
        self._by_path[resource.group, resource.version, resource.plural] = resource

    def forget(self, name):
        """The type is served no more, as by an older server."""
        resource = self.get(name)
        del self._by_path[resource.group, resource.version, resource.plural]

    def remove(self, group, plural):
        for key in [key for key, each in self._by_path.items()
                    if each.custom and (each.group, each.plural) == (group, plural)]:
            del self._by_path[key]

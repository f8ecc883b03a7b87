"""How the parts of an object are merged: which lists are maps by a key, which are sets, and what is
changed as a whole only. Of custom types their schema says it; of Kubernetes' own, this file."""

_BY_NAME = ("containers", "initContainers", "ephemeralContainers", "env", "volumes",
            "imagePullSecrets", "secrets", "webhooks", "matchConditions", "resourceClaims",
            "claims")
_KEYS = {**{name: ("name",) for name in _BY_NAME},
         "volumeMounts": ("mountPath",), "volumeDevices": ("devicePath",), "hostAliases": ("ip",),
         "podIPs": ("ip",), "conditions": ("type",), "ownerReferences": ("uid",),
         "addresses": ("type",),
         "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable")}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_SETS = ("finalizers",)
_WHOLE = {"podSelector", "namespaceSelector", "objectSelector", "labelSelector", "selector",
          "nodeSelector", "configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef",
          "roleRef", "involvedObject", "regarding", "fieldsV1"}


class Shape:
    """A place in a type of Kubernetes' own."""

    def __init__(self, kind, path=()):
        self.kind, self.path = kind, path

    def field(self, name):
        return Shape(self.kind, (*self.path, name))

    def items(self):
        return self  # of a list: its fields come next

    def keys(self):
        """Of a list: the keys of its map, "set", or None where it is replaced as a whole."""
        name, parent = self.path[-1], self.path[-2] if len(self.path) > 1 else ""
        if name == "ports":
            if parent in _CONTAINERS:
                return ("containerPort", "protocol")
            return ("port", "protocol") if self.kind == "Service" else None
        if name == "addresses" and self.kind != "Node":
            return None
        if name in _SETS and parent == "metadata":
            return "set"
        return _KEYS.get(name)

    def is_whole(self):
        return bool(self.path) and self.path[-1] in _WHOLE and self.path != (
            "spec", "selector", "matchLabels")

    def merge_key(self):
        """Of a list: its key in strategic merge patches ("" for primitive ones that are merged)."""
        keys = self.keys()
        return "" if keys == "set" else keys and keys[0]


class SchemaShape:
    """A place in a custom type, by its schema; metadata is as everywhere."""

    def __init__(self, schema):
        self.schema = schema or {}

    def field(self, name):
        if name in self.schema.get("properties", {}):
            return SchemaShape(self.schema["properties"][name])
        more = self.schema.get("additionalProperties")
        return SchemaShape(more if isinstance(more, dict) else {})

    def items(self):
        return SchemaShape(self.schema.get("items"))

    def keys(self):
        kind = self.schema.get("x-kubernetes-list-type", "atomic")
        if kind == "map":
            return tuple(self.schema.get("x-kubernetes-list-map-keys", ()))
        return "set" if kind == "set" else None

    def is_whole(self):
        return self.schema.get("x-kubernetes-map-type") == "atomic"


class _Custom(SchemaShape):
    def field(self, name):
        return Shape("", ("metadata",)) if name == "metadata" else super().field(name)


def shape_of(resource):
    return _Custom(resource.schema) if resource.custom else Shape(resource.kind)

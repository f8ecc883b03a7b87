"""Defaults of Kubernetes' own types, as far as somebody here looks at them, and what may not be."""

import base64
import ipaddress
import re

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_TEMPLATED = {"deployments", "daemonsets", "replicasets", "statefulsets", "jobs"}


def _set(document, **values):
    for name, value in values.items():
        document.setdefault(name, value)


def _pod_spec(spec):
    _set(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler",
         terminationGracePeriodSeconds=30, securityContext={})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for kind in _CONTAINERS:
        for each in spec.get(kind) or []:
            image = each.get("image", "")
            tagged = ":" in image.rpartition("/")[2] and not image.endswith(":latest")
            _set(each, imagePullPolicy="IfNotPresent" if tagged or "@" in image else "Always",
                 terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File",
                 resources={})
            for port in each.get("ports") or []:
                _set(port, protocol="TCP")
            for variable in each.get("env") or []:
                if "fieldRef" in (variable.get("valueFrom") or {}):
                    _set(variable["valueFrom"]["fieldRef"], apiVersion="v1")
    for each in spec.get("volumes") or []:
        for source in ("configMap", "secret", "projected"):
            if isinstance(each.get(source), dict):
                _set(each[source], defaultMode=420)


def fill(resource, document, live):
    """Puts the defaults of a built-in type in."""
    spec = document.get("spec")
    plural = resource.plural
    if plural == "namespaces":
        labels = document["metadata"].get("labels") or {}
        document["metadata"]["labels"] = {
            **labels, "kubernetes.io/metadata.name": document["metadata"].get("name", "")}
        document.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    if plural == "secrets":
        _set(document, type="Opaque")
        for key, value in (document.pop("stringData", None) or {}).items():
            document["data"] = {**(document.get("data") or {}),
                                key: base64.b64encode(value.encode()).decode()}
    if plural.endswith("webhookconfigurations"):
        for each in document.get("webhooks") or []:
            _set(each, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10,
                 namespaceSelector={}, objectSelector={})
            if plural.startswith("mutating"):
                _set(each, reinvocationPolicy="Never")
            for rule in each.get("rules") or []:
                _set(rule, scope="*")
            if "service" in each.get("clientConfig", {}):
                _set(each["clientConfig"]["service"], port=443)
    if not isinstance(spec, dict):
        return
    if plural == "pods":
        _set(spec, enableServiceLinks=True)
        _pod_spec(spec)
    elif plural in _TEMPLATED and isinstance(spec.get("template"), dict):
        if isinstance(spec["template"].get("spec"), dict):
            _pod_spec(spec["template"]["spec"])
        _set(spec, revisionHistoryLimit=10)
        if plural == "deployments":
            _set(spec, replicas=1, progressDeadlineSeconds=600, strategy={
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}})
        elif plural == "daemonsets":
            _set(spec, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {
                "maxUnavailable": 1, "maxSurge": 0}})
    elif plural == "services":
        _set(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
        for port in spec.get("ports") or []:
            _set(port, protocol="TCP", targetPort=port.get("port"))
        if live and "clusterIP" in live["spec"]:
            _set(spec, **{name: live["spec"][name] for name in ("clusterIP", "clusterIPs",
                                                                "ipFamilies", "ipFamilyPolicy")
                          if name in live["spec"]})
    elif plural == "networkpolicies":
        _set(spec, policyTypes=["Ingress"] + (["Egress"] if "egress" in spec else []))
        for rule in (spec.get("ingress") or []) + (spec.get("egress") or []):
            for port in rule.get("ports") or []:
                _set(port, protocol="TCP")
    elif plural == "horizontalpodautoscalers":
        _set(spec, minReplicas=1)
    elif plural == "customresourcedefinitions":
        _set(spec, conversion={"strategy": "None"})
        names = spec.get("names") or {}
        if names.get("kind"):
            _set(names, singular=names["kind"].lower(), listKind=names["kind"] + "List")


def _bad(value, why, where):
    return ("FieldValueInvalid", f"Invalid value: {value}: {why}", where)


def _need(where, why=""):
    return ("FieldValueRequired", "Required value" + (f": {why}" if why else ""), where)


def faults(resource, document, live):
    """(reason, message, field) of what the API server would refuse."""
    spec, plural = document.get("spec"), resource.plural
    if plural == "pods":
        yield from _pod(document, live)
    elif plural in _TEMPLATED - {"jobs"}:
        yield from _workload(spec or {}, live)
    elif plural == "events" and resource.group:
        yield from _event(document)
    elif plural == "secrets" and live and live["type"] != document["type"]:
        yield _bad(f'"{document["type"]}"', "field is immutable", "type")
    elif plural == "secrets" and document["type"] == "kubernetes.io/tls" and not (
            {"tls.crt", "tls.key"} <= set(document.get("data") or {})):
        yield from map(_need, ("data[tls.crt]", "data[tls.key]"))
    elif plural in ("configmaps", "secrets") and live and live.get("immutable"):
        if any(live.get(name) != document.get(name) for name in ("data", "binaryData",
                                                                 "stringData", "immutable")):
            yield ("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set",
                   "data")
    elif plural == "configmaps":
        for key, value in (document.get("data") or {}).items():
            if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
                yield _bad(f'"{key}"', "a valid config key must consist of alphanumeric "
                           "characters, '-', '_' or '.'", f"data[{key}]")
    elif plural in ("clusterrolebindings", "rolebindings"):
        if live and live["roleRef"] != document.get("roleRef"):
            yield _bad(str(document.get("roleRef")), "cannot change roleRef", "roleRef")
        for index, each in enumerate(document.get("subjects") or []):
            if each.get("kind") == "ServiceAccount" and not each.get("namespace"):
                yield _need(f"subjects[{index}].namespace")
    elif plural == "networkpolicies":
        yield from _network(spec or {})
    elif plural == "services":
        if not (spec or {}).get("ports") and (spec or {}).get("clusterIP") != "None":
            yield _need("spec.ports")
        if len((spec or {}).get("ports") or []) > 1 and not all(
                port.get("name") for port in spec["ports"]):
            yield _need("spec.ports[0].name")
    elif plural.endswith("webhookconfigurations"):
        yield from _webhooks(document)


def _pod(document, live):
    spec = document.get("spec") or {}
    if not spec.get("containers"):
        yield _need("spec.containers")
    yield from _containers(spec, "spec")
    if live:
        def told(value):
            kept = {name: each for name, each in value["spec"].items() if name not in (
                "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds",
                "ephemeralContainers", "nodeName", "schedulingGates")}
            for kind in _CONTAINERS[:2]:
                kept[kind] = [{**each, "image": ""} for each in kept.get(kind) or []]
            return kept
        if told(live) != told(document):
            yield ("FieldValueForbidden", "Forbidden: pod updates may not change fields other than "
                   "`spec.containers[*].image`,`spec.initContainers[*].image`,"
                   "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
                   "tolerations),`spec.terminationGracePeriodSeconds`", "spec")


def _containers(spec, where):
    seen, volumes = set(), {each.get("name") for each in spec.get("volumes") or []}
    for kind in _CONTAINERS:
        for index, each in enumerate(spec.get(kind) or []):
            at = f"{where}.{kind}[{index}]"
            if not each.get("name"):
                yield _need(f"{at}.name")
            elif each["name"] in seen:
                yield ("FieldValueDuplicate", f'Duplicate value: "{each["name"]}"', f"{at}.name")
            seen.add(each.get("name"))
            if not each.get("image") and kind != "containers":
                yield _need(f"{at}.image")
            for n, mount in enumerate(each.get("volumeMounts") or []):
                if mount.get("name") not in volumes:
                    yield ("FieldValueNotFound", f'Not found: "{mount.get("name")}"',
                           f"{at}.volumeMounts[{n}].name")
            for n, variable in enumerate(each.get("env") or []):
                if not variable.get("name"):
                    yield _need(f"{at}.env[{n}].name")
                if variable.get("value") and variable.get("valueFrom"):
                    yield _bad('""', "may not be specified when `value` is not empty",
                               f"{at}.env[{n}].valueFrom")
                if "value" in variable and not isinstance(variable["value"], str):
                    yield _bad(variable["value"], "must be a string", f"{at}.env[{n}].value")


def _event(document):
    """Of events.k8s.io/v1, which is stricter than v1."""
    for name, field in (("eventTime", "eventTime"), ("reportingComponent", "reportingController"),
                        ("reportingInstance", "reportingInstance"), ("action", "action"),
                        ("reason", "reason")):
        if not document.get(name):
            yield _need(field)
    for name, limit in (("reportingInstance", 128), ("action", 128), ("reason", 128),
                        ("message", 1024)):
        if len(document.get(name) or "") > limit:
            yield _bad('""', f"can have at most {limit} characters",
                       "note" if name == "message" else name)
    if document.get("type") not in ("Normal", "Warning"):
        yield _bad(f'"{document.get("type")}"', "has invalid value", "type")
    about = (document.get("involvedObject") or {}).get("namespace")
    if (about or "default") != document["metadata"]["namespace"]:
        yield _bad(f'"{about or ""}"', "does not match event.namespace",
                   "involvedObject.namespace")


def _workload(spec, live):
    selector, template = spec.get("selector"), spec.get("template") or {}
    if not selector:
        yield _need("spec.selector")
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector and any(labels.get(key) != value
                        for key, value in (selector.get("matchLabels") or {}).items()):
        yield _bad(str(labels), "`selector` does not match template `labels`",
                   "spec.template.metadata.labels")
    if live and live["spec"].get("selector") != selector:
        yield _bad(str(selector), "field is immutable", "spec.selector")
    if not (template.get("spec") or {}).get("containers"):
        yield _need("spec.template.spec.containers")
    yield from _containers(template.get("spec") or {}, "spec.template.spec")


def _network(spec):
    for kind, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(kind) or []):
            for n, peer in enumerate(rule.get(side) or []):
                at = f"spec.{kind}[{index}].{side}[{n}]"
                if not peer:
                    yield _need(at, "must specify a peer")
                block = peer.get("ipBlock")
                if not block:
                    continue
                try:
                    whole = ipaddress.ip_network(block.get("cidr", ""))
                    for each in block.get("except") or []:
                        if not ipaddress.ip_network(each).subnet_of(whole) or (
                                ipaddress.ip_network(each) == whole):
                            yield _bad(f'"{each}"', "must be a strict subset of `cidr`",
                                       f"{at}.ipBlock.except")
                except (ValueError, TypeError) as error:
                    yield _bad(f'"{block.get("cidr")}"', f"must be a valid CIDR value ({error})",
                               f"{at}.ipBlock.cidr")


def _webhooks(document):
    for index, each in enumerate(document.get("webhooks") or []):
        at = f"webhooks[{index}]"
        if (each.get("name") or "").count(".") < 2:
            yield _bad(f'"{each.get("name")}"', "should be a domain with at least three segments "
                       "separated by dots", f"{at}.name")
        if "v1" not in (each.get("admissionReviewVersions") or []):
            yield _bad(str(each.get("admissionReviewVersions")), "must include at least one of v1, "
                       "v1beta1", f"{at}.admissionReviewVersions")
        if each.get("sideEffects") not in ("None", "NoneOnDryRun"):
            yield ("FieldValueNotSupported", f'Unsupported value: "{each.get("sideEffects")}": '
                   'supported values: "None", "NoneOnDryRun"', f"{at}.sideEffects")
        if not 1 <= each.get("timeoutSeconds", 10) <= 30:
            yield _bad(each["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds",
                       f"{at}.timeoutSeconds")
        config = each.get("clientConfig") or {}
        if ("url" in config) == ("service" in config):
            yield _need(f"{at}.clientConfig", "exactly one of url or service is required")
        elif "url" in config and not config["url"].startswith("https://"):
            yield _bad(f'"{config["url"]}"', "'https' is the only allowed URL scheme",
                       f"{at}.clientConfig.url")

"""Pod Security admission: what the levels `baseline` and `restricted` (Pod Security Standards) say
against a pod, and what a namespace's labels make of it."""

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_LABEL = "pod-security.kubernetes.io/"
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
            "projected", "secret"}


def _all(spec):
    """(name, securityContext, container)"""
    for kind in _CONTAINERS:
        for each in spec.get(kind) or []:
            yield each.get("name"), each.get("securityContext") or {}, each


def _named(names, must):
    names = [f'"{name}"' for name in names]
    return f"(container{'s' if len(names) > 1 else ''} {', '.join(names)} {must})"


def _baseline(spec):
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"host namespaces ({name}=true)"
    if found := [name for name, context, _ in _all(spec) if context.get("privileged")]:
        yield "privileged " + _named(found, "must not set securityContext.privileged=true")
    if found := [name for name, context, _ in _all(spec) if set(
            (context.get("capabilities") or {}).get("add") or []) - _BASELINE_CAPABILITIES]:
        yield "non-default capabilities " + _named(
            found, "must not include them in securityContext.capabilities.add")
    if found := [each["name"] for each in spec.get("volumes") or [] if "hostPath" in each]:
        yield f"hostPath volumes (volume \"{found[0]}\")"
    ports = [str(port["hostPort"]) for _, _, each in _all(spec)
             for port in each.get("ports") or [] if port.get("hostPort")]
    if ports and not spec.get("hostNetwork"):
        yield f"hostPort ({', '.join(ports)})"


def _restricted(spec):
    yield from _baseline(spec)
    of_pod = spec.get("securityContext") or {}
    if found := [name for name, context, _ in _all(spec)
                 if context.get("allowPrivilegeEscalation") is not False]:
        yield "allowPrivilegeEscalation != false " + _named(
            found, "must set securityContext.allowPrivilegeEscalation=false")
    if found := [name for name, context, _ in _all(spec) if "ALL" not in (
            (context.get("capabilities") or {}).get("drop") or []) or set(
                (context.get("capabilities") or {}).get("add") or []) - {"NET_BIND_SERVICE"}]:
        yield "unrestricted capabilities " + _named(
            found, 'must set securityContext.capabilities.drop=["ALL"]')
    if found := [each["name"] for each in spec.get("volumes") or []
                 if not set(each) - {"name"} <= _VOLUMES]:
        yield f"restricted volume types (volume \"{found[0]}\")"
    if found := [name for name, context, _ in _all(spec) if context.get(
            "runAsNonRoot", of_pod.get("runAsNonRoot")) is not True]:
        yield "runAsNonRoot != true (pod or " + _named(
            found, "must set securityContext.runAsNonRoot=true")[1:]
    if found := [name for name, context, _ in _all(spec) if context.get(
            "runAsUser", of_pod.get("runAsUser")) == 0]:
        yield "runAsUser=0 " + _named(found, "must not set runAsUser=0")
    if found := [name for name, context, _ in _all(spec) if (context.get("seccompProfile")
                 or of_pod.get("seccompProfile") or {}).get("type") not in (
                     "RuntimeDefault", "Localhost")]:
        yield "seccompProfile (pod or " + _named(
            found, "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
            "\"Localhost\"")[1:]


def verdict(spec, labels, mode):
    """What a namespace's labels say against a pod in a mode (enforce, warn), or None."""
    level = labels.get(_LABEL + mode, "privileged")
    rules = {"privileged": lambda _: (), "baseline": _baseline, "restricted": _restricted}[level]
    found = list(rules(spec))
    if not found:
        return None
    version = labels.get(f"{_LABEL}{mode}-version", "latest")
    return f'PodSecurity "{level}:{version}": {", ".join(found)}'

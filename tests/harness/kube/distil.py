"""Makes types.json, what the tests know of Kubernetes' own types, from the models that the project's
JavaScript client generates of the OpenAPI description. Run by hand when the version changes:

  npm pack @kubernetes/client-node@1.4.0 && tar xzf kubernetes-client-node-1.4.0.tgz
  tests/harness/kube/distil.py package >tests/harness/kube/types.json
"""

import json
import pathlib
import re
import sys

# What the manifests are made of.
KINDS = {
    "v1 Namespace": "V1Namespace", "v1 ServiceAccount": "V1ServiceAccount",
    "v1 ConfigMap": "V1ConfigMap", "v1 Secret": "V1Secret", "v1 Service": "V1Service",
    "v1 ResourceQuota": "V1ResourceQuota",
    "apps/v1 Deployment": "V1Deployment", "apps/v1 DaemonSet": "V1DaemonSet",
    "policy/v1 PodDisruptionBudget": "V1PodDisruptionBudget",
    "autoscaling/v2 HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "networking.k8s.io/v1 NetworkPolicy": "V1NetworkPolicy",
    "rbac.authorization.k8s.io/v1 Role": "V1Role",
    "rbac.authorization.k8s.io/v1 RoleBinding": "V1RoleBinding",
    "rbac.authorization.k8s.io/v1 ClusterRole": "V1ClusterRole",
    "rbac.authorization.k8s.io/v1 ClusterRoleBinding": "V1ClusterRoleBinding",
    "apiextensions.k8s.io/v1 CustomResourceDefinition": "V1CustomResourceDefinition",
    "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration":
        "V1MutatingWebhookConfiguration",
    "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration":
        "V1ValidatingWebhookConfiguration",
}
# Far away from anything that is used here; a field of such a type is known, what it holds is not.
LEFT_OUT = re.compile(
    r"V1(Affinity|Ephemeral\w*|\w+VolumeSource|\w+PersistentVolumeSource|\w+Status|\w+Projection"
    r"|ManagedFieldsEntry|OwnerReference)$")
KEPT = {"V1ConfigMapVolumeSource", "V1EmptyDirVolumeSource"}

ROW = re.compile(r'"name": "[^"]*",\s*"baseName": "([^"]*)",\s*"type": "([^"]*)"')


def fields_of(models, name):
    text = (models / f"{name}.js").read_text()
    declared = (models / f"{name}.d.ts").read_text()
    optional = set(re.findall(r"^    '([^']+)'\?:", declared, re.M))
    required = set(re.findall(r"^    '([^']+)':", declared, re.M)) - optional
    return dict(ROW.findall(text)), sorted(required)


def main():
    package = pathlib.Path(sys.argv[1])
    models = package / "dist" / "gen" / "models"
    version = re.search(r"OpenAPI spec version: (\S+)", (models / "V1Pod.d.ts").read_text())[1]
    types, open_types = {}, list(KINDS.values())
    while open_types:
        name = open_types.pop()
        if name in types or (LEFT_OUT.search(name) and name not in KEPT):
            continue
        if not (models / f"{name}.js").exists():
            continue
        fields, required = fields_of(models, name)
        types[name] = {"fields": fields, "required": required}
        open_types += re.findall(r"V\d\w+", " ".join(fields.values()))
    json.dump({"version": version, "kinds": KINDS, "types": dict(sorted(types.items()))},
              sys.stdout, indent=0, sort_keys=True)
    print()


if __name__ == "__main__":
    main()

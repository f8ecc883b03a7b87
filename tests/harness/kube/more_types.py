"""Types that types.json leaves out, in its form: what admission, rights and leases are made of."""

_OBJECT = {"apiVersion": "string", "kind": "string", "metadata": "V1ObjectMeta"}


def _type(required=(), **fields):
    return {"required": list(required), "fields": fields}


_STRINGS, _TABLE = "Array<string>", "{ [key: string]: string; }"
_WEBHOOK = {
    "name": "string", "clientConfig": "WebhookClientConfig", "rules": "Array<RuleWithOperations>",
    "failurePolicy": "string", "matchPolicy": "string", "namespaceSelector": "V1LabelSelector",
    "objectSelector": "V1LabelSelector", "sideEffects": "string", "timeoutSeconds": "number",
    "admissionReviewVersions": _STRINGS, "matchConditions": "Array<MatchCondition>"}
_NEEDED = ("name", "clientConfig", "sideEffects", "admissionReviewVersions")

TYPES = {
    "Pod": _type(**_OBJECT, spec="V1PodSpec", status="any"),
    "Secret": _type(**_OBJECT, data=_TABLE, stringData=_TABLE, immutable="boolean", type="string"),
    "Role": _type(**_OBJECT, rules="Array<V1PolicyRule>"),
    "RoleBinding": _type(("roleRef",), **_OBJECT, roleRef="V1RoleRef",
                         subjects="Array<RbacV1Subject>"),
    "Lease": _type(**_OBJECT, spec="LeaseSpec"),
    "LeaseSpec": _type(holderIdentity="string", leaseDurationSeconds="number",
                       acquireTime="string", renewTime="string", leaseTransitions="number",
                       strategy="string", preferredHolder="string"),
    "MutatingWebhookConfiguration": _type(**_OBJECT, webhooks="Array<MutatingWebhook>"),
    "ValidatingWebhookConfiguration": _type(**_OBJECT, webhooks="Array<ValidatingWebhook>"),
    "MutatingWebhook": _type(_NEEDED, **_WEBHOOK, reinvocationPolicy="string"),
    "ValidatingWebhook": _type(_NEEDED, **_WEBHOOK),
    "WebhookClientConfig": _type(url="string", caBundle="string", service="ServiceReference"),
    "ServiceReference": _type(("name", "namespace"), name="string", namespace="string",
                              path="string", port="number"),
    "RuleWithOperations": _type(apiGroups=_STRINGS, apiVersions=_STRINGS, operations=_STRINGS,
                                resources=_STRINGS, scope="string"),
    "MatchCondition": _type(("name", "expression"), name="string", expression="string"),
}
KINDS = {
    "v1 Pod": "Pod", "v1 Secret": "Secret", "coordination.k8s.io/v1 Lease": "Lease",
    "rbac.authorization.k8s.io/v1 Role": "Role",
    "rbac.authorization.k8s.io/v1 RoleBinding": "RoleBinding",
    **{f"admissionregistration.k8s.io/v1 {name}": name for name in (
        "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")}}

"""What the tests of the templates share: the templates themselves, their user data with the
intrinsics replaced, and a validator of the few words of JSON Schema that the fixtures use."""

import email
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]
from check_templates.template import Template, walk  # noqa: E402, F401

FILES = sorted((ROOT / "deploy/cloudformation").glob("*.yaml"))
NAMES = ["cluster", "gateway", "monitoring", "nodegroup", "peering", "service-role", "vpc"]
# What the driver would pass; the rest has defaults.
NO_PROXY = ("localhost,127.0.0.1,::1,[::1],169.254.169.254,fd00:ec2::254,172.20.0.0/16,.svc,"
            ".cluster.local,10.64.0.0/16,.internal,A1B2.gr7.eu-west-2.eks.amazonaws.com,"
            "ec2.eu-west-2.amazonaws.com")
GIVEN = {
    "gateway": {
        "VpcId": "vpc-0a1b", "PublicSubnetIds": "subnet-01,subnet-02",
        "GatewaySubnetIds": "subnet-01,subnet-02", "PublicSubnetCidrs": "10.64.0.0/24,10.64.1.0/24",
        "PrivateSubnetCidrs": "10.64.32.0/19,10.64.64.0/19", "ClusterSecurityGroupId": "sg-0a1b",
        "ArtifactBucket": "artifacts", "ArtifactKey": "ebbgate-1.0.0-linux-arm64.tar.gz",
        "ArtifactSha256": "0" * 64,
    },
    "nodegroup": {
        "ClusterName": "EKSdemo", "ClusterEndpoint": "https://A1B2.gr7.eu-west-2.eks.amazonaws.com",
        "ClusterCertificateAuthority": "LS0tLS1CRUdJTg==", "ClusterSecurityGroupId": "sg-0a1b",
        "PrivateSubnetIds": "subnet-03,subnet-04", "NoProxy": NO_PROXY,
        "ProxyUrl": "http://demo-1a2b.elb.eu-west-2.amazonaws.com:3128",
    },
}


def load(name):
    file = ROOT / f"deploy/cloudformation/{name}.yaml"
    return Template(file.read_text(), file.name)


def user_data(name, **given):
    """The user data of a template's launch template, as EC2 would decode it."""
    template = load(name)
    values = template.values({**GIVEN[name], **given})
    data = template.resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    return str(template.resolve(data["UserData"], values))


def parts(text):
    """Content type and text of each part of a MIME multi-part message."""
    message = email.message_from_string(text)
    return [(part.get_content_type(), part.get_payload()) for part in message.walk()
            if not part.is_multipart()]


def heredoc(script, file):
    """What a script writes into a file."""
    found = re.search(rf"^cat >{re.escape(file)} <<'END'\n(.*?)^END$", script, re.M | re.S)
    return found.group(1)


_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


def problems(value, schema, path="$"):
    """What is wrong with a value by a schema, a line each."""
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    if kind and not isinstance(value, _TYPES[kind]):
        return [f"{path}: {value!r} is no {kind}"]
    found = []
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{path}: no {key}" for key in schema.get("required", []) if key not in value]
        for key, each in value.items():
            if key in known:
                found += problems(each, known[key], f"{path}.{key}")
            elif others is False:
                found.append(f"{path}: {key} is not known")
            elif isinstance(others, dict):
                found += problems(each, others, f"{path}.{key}")
    for number, each in enumerate(value if isinstance(value, list) else []):
        found += problems(each, schema.get("items", {}), f"{path}[{number}]")
    return found

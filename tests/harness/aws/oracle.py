"""Debian's botocore as an oracle: clients of the emulator, and whether requests that a program made
are what botocore's own models of the services say."""

import unittest

try:
    import botocore.config
    import botocore.session
    import botocore.model
except ImportError:
    botocore = None

_NAMES = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2",
          "servicequotas": "service-quotas"}


def client(emulator, service, credentials=None, attempts=1, **options):
    """A botocore client of the emulator; skips the test where there is no botocore."""
    if botocore is None:
        raise unittest.SkipTest("botocore is not installed (python3-botocore)")
    who = credentials or emulator.credentials
    return botocore.session.Session().create_client(
        service, region_name=emulator.region, endpoint_url=emulator.url,
        aws_access_key_id=who.key, aws_secret_access_key=who.secret, aws_session_token=who.token,
        config=botocore.config.Config(retries={"total_max_attempts": attempts}, **options))


def complaints(calls):
    """What the models say against the parameters of some lines of the journal: a list of sentences.
    Operations that this botocore is too old for are left out."""
    if botocore is None:
        raise unittest.SkipTest("botocore is not installed (python3-botocore)")
    loader, models, out = botocore.session.Session().get_component("data_loader"), {}, []
    for call in calls:
        name = _NAMES.get(call.service, call.service)
        if name in ("imds", "container", "s3", None):
            continue
        if name not in models:
            models[name] = botocore.model.ServiceModel(
                loader.load_service_model(name, "service-2"), name)
        model = models[name]
        if call.operation in model.operation_names:
            shape = model.operation_model(call.operation).input_shape
            _walk(shape, call.parameters, model.metadata["protocol"],
                  f"{call.service}:{call.operation}", out)
    return out


def _wire_name(name, member, protocol):
    said = member.serialization
    if protocol == "ec2":
        if "queryName" in said:
            return said["queryName"]
        name = said.get("name", name)
        return name[0].upper() + name[1:]
    return said.get("name", name)


def _walk(shape, value, protocol, path, out):
    if shape is None:
        if value:
            out.append(f"{path} takes no parameters")
        return
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            out.append(f"{path} must be a structure")
            return
        members = {_wire_name(name, member, protocol): (name, member)
                   for name, member in shape.members.items()}
        for key, each in value.items():
            if key in members:
                _walk(members[key][1], each, protocol, f"{path}.{key}", out)
            else:
                out.append(f"{path} knows no {key}")
        sent = {members[key][0] for key in value if key in members}
        out.extend(f"{path} lacks {name}" for name in shape.required_members if name not in sent)
    elif shape.type_name == "list":
        items = value if isinstance(value, list) else [value] if value else []  # `List=` is empty
        for number, each in enumerate(items):
            _walk(shape.member, each, protocol, f"{path}[{number}]", out)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        out.append(f"{path} is {value!r}, none of {shape.enum}")
    elif shape.type_name in ("integer", "long") and not str(value).lstrip("-").isdigit():
        out.append(f"{path} is {value!r}, no integer")

"""Systems Manager Parameter Store: versioned parameters, of 4 KB or in the advanced tier 8 KB."""

import re

from .protocols import AwsError
from .service import Service

_LIMITS = {"Standard": 4096, "Advanced": 8192}
_HISTORY = 100


class Ssm(Service):
    scope, target = "ssm", "AmazonSSM"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.parameters = {}  # name -> its versions as GetParameterHistory tells them, oldest first
        for machine, image in (("x86_64", "ami-0a1b2c3d4e5f60001"),
                               ("arm64", "ami-0a1b2c3d4e5f60002")):
            self.seed("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-" + machine,
                      image)

    def put(self, name, value, kind="String", tier="Standard"):
        """For tests: a new version, whose number is returned."""
        return self.PutParameter({"Name": name, "Value": value, "Type": kind, "Overwrite": True,
                                  "Tier": tier})["Version"]

    def value(self, name):
        return self.parameters[name][-1]["Value"]

    @staticmethod
    def _plain(name):
        """(name, selector) of "name:3", or of an ARN."""
        if name.startswith("arn:"):
            name = name.split(":parameter", 1)[-1] if ":parameter/" in name else name
        name, _, selector = name.partition(":")
        return name, selector

    def resource(self, operation, parameters):
        name = parameters.get("Name")
        if name is None:
            return None
        return self.arn("parameter/" + self._plain(name)[0].lstrip("/"))

    def demands(self, operation, parameters):
        if operation == "GetParameters":
            return [("ssm:GetParameters", self.resource(operation, {"Name": name}), {})
                    for name in parameters.get("Names", [])]
        return super().demands(operation, parameters)

    def _find(self, full):
        name, selector = self._plain(full)
        versions = self.parameters.get(name)
        if not versions:
            raise AwsError("ParameterNotFound", "")
        if not selector:
            return versions[-1]
        for version in versions:
            if str(version["Version"]) == selector:
                return {**version, "Selector": ":" + selector}
        raise AwsError("ParameterVersionNotFound", f"Systems Manager could not find version "
                       f"{selector} of {name}. Verify the version and try again.")

    def _told(self, version):
        out = {key: version[key] for key in ("Name", "Type", "Value", "Version",
                                             "LastModifiedDate", "ARN", "DataType")}
        if "Selector" in version:
            out["Selector"] = version["Selector"]
        return out

    def GetParameter(self, p):
        return {"Parameter": self._told(self._find(self.need(p, "Name")))}

    def GetParameters(self, p):
        found, invalid = [], []
        for name in self.need(p, "Names"):
            try:
                found.append(self._told(self._find(name)))
            except AwsError:
                invalid.append(name)
        return {"Parameters": found, "InvalidParameters": invalid}

    def GetParameterHistory(self, p):
        name = self.need(p, "Name")
        if name not in self.parameters:
            raise AwsError("ParameterNotFound", "")
        size, start = p.get("MaxResults", 50), int(p.get("NextToken", 0))
        versions = self.parameters[name]
        out = {"Parameters": versions[start:start + size]}
        if start + size < len(versions):
            out["NextToken"] = str(start + size)
        return out

    def PutParameter(self, p):
        name, value = self.need(p, "Name", "Value")
        if not re.fullmatch(r"/?[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*", name) or (
                "/" in name and not name.startswith("/")):
            raise AwsError("ValidationException", "Parameter name must be a fully qualified name.")
        if re.match(r"/?(aws|ssm)", name, re.IGNORECASE):
            raise AwsError("AccessDeniedException", "No access to reserved parameter name: "
                           f"{name}.")
        versions = self.parameters.get(name, [])
        if versions and not p.get("Overwrite"):
            raise AwsError("ParameterAlreadyExists", "The parameter already exists. To overwrite "
                           "this value, set the overwrite option in the request to true.")
        if not versions and not p.get("Type"):
            raise AwsError("ValidationException", "A parameter type is required when you create a "
                           "parameter.")
        tier = p.get("Tier") or (versions[-1]["Tier"] if versions else "Standard")
        size = len(value.encode())
        if tier == "Intelligent-Tiering":
            tier = "Standard" if size <= _LIMITS["Standard"] else "Advanced"
        if tier not in _LIMITS:
            raise AwsError("ValidationException", f"no such tier: {tier}")
        if versions and versions[-1]["Tier"] == "Advanced" and tier == "Standard":
            raise AwsError("ValidationException", "This parameter uses the advanced-parameter "
                           "tier. You can't downgrade a parameter from the advanced-parameter tier "
                           "to the standard-parameter tier.")
        if size > _LIMITS[tier]:
            hint = (" To create a larger parameter value, upgrade the parameter to use the "
                    "advanced-parameter tier." if tier == "Standard" else "")
            raise AwsError("ValidationException", f"{tier} tier parameters support a maximum "
                           f"parameter value of {_LIMITS[tier]} characters.{hint}")
        number = versions[-1]["Version"] + 1 if versions else 1
        caller = getattr(self, "caller", None)
        version = {"Name": name, "Type": p.get("Type") or versions[-1]["Type"], "Value": value,
                   "Version": number, "Tier": tier, "DataType": p.get("DataType", "text"),
                   "LastModifiedDate": round(self.emulator.clock.now(), 3),
                   "LastModifiedUser": caller.arn if caller else "", "Labels": [], "Policies": [],
                   "Description": p.get("Description", ""),
                   "ARN": self.arn("parameter/" + name.lstrip("/"))}
        self.parameters[name] = (versions + [version])[-_HISTORY:]
        return {"Version": number, "Tier": tier}

    def DeleteParameter(self, p):
        if self.parameters.pop(self.need(p, "Name"), None) is None:
            raise AwsError("ParameterNotFound", "")
        return {}

    def seed(self, name, value):
        """For tests and the emulator: one of AWS's own public parameters."""
        self.parameters[name] = [{
            "Name": name, "Type": "String", "Value": value, "Version": 1, "Tier": "Standard",
            "DataType": "text", "LastModifiedDate": 1.7e9, "ARN":
            f"arn:{self.emulator.partition}:ssm:{self.emulator.region}::parameter{name}"}]

"""Secrets Manager: the current value of a secret, and earlier ones by their ids."""

import base64
import secrets
import uuid

from .protocols import AwsError
from .service import Service


class SecretsManager(Service):
    scope, target = "secretsmanager", "secretsmanager"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.secrets = {}  # name -> {"arn", "versions": [(id, value)], "deleted"}

    def put(self, name, value):
        """For tests: a new current value (str, or bytes); its id is returned."""
        secret = self.secrets.setdefault(name, {
            "arn": self.arn(f"secret:{name}-{secrets.token_hex(3)}"), "versions": [],
            "deleted": False})
        secret["versions"].append((str(uuid.uuid4()), value, self.emulator.clock.now()))
        return secret["versions"][-1][0]

    def _find(self, name):
        for key, secret in self.secrets.items():
            if name in (key, secret["arn"], secret["arn"][:-7]):
                return key, secret
        raise AwsError("ResourceNotFoundException",
                       "Secrets Manager can't find the specified secret.")

    def resource(self, operation, parameters):
        name = parameters.get("SecretId")
        if name is None:
            return None
        try:
            return self._find(name)[1]["arn"]
        except AwsError:
            return name if name.startswith("arn:") else self.arn(f"secret:{name}")

    def GetSecretValue(self, p):
        name, secret = self._find(self.need(p, "SecretId"))
        if secret["deleted"]:
            raise AwsError("InvalidRequestException", "You can't perform this operation on the "
                           "secret because it was marked for deletion.")
        versions = secret["versions"]
        stages = {id(v): ["AWSCURRENT"] if v is versions[-1] else
                  ["AWSPREVIOUS"] if len(versions) > 1 and v is versions[-2] else []
                  for v in versions}
        stage = p.get("VersionStage") or (None if p.get("VersionId") else "AWSCURRENT")
        for version in versions:
            if (p.get("VersionId") in (None, version[0])
                    and (stage is None or stage in stages[id(version)])):
                break
        else:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified "
                           f"secret value for staging label: {stage}")
        out = {"ARN": secret["arn"], "Name": name, "VersionId": version[0],
               "VersionStages": stages[id(version)], "CreatedDate": round(version[2], 3)}
        if isinstance(version[1], bytes):
            out["SecretBinary"] = base64.b64encode(version[1]).decode()
        else:
            out["SecretString"] = version[1]
        return out

    def CreateSecret(self, p):
        name = self.need(p, "Name")
        if name in self.secrets:
            if self.secrets[name]["deleted"]:
                raise AwsError("InvalidRequestException", "You can't create this secret because a "
                               "secret with this name is already scheduled for deletion.")
            raise AwsError("ResourceExistsException", "The operation failed because the secret "
                           f"{name} already exists.")
        version = self.put(name, p.get("SecretString", ""))
        return {"ARN": self.secrets[name]["arn"], "Name": name, "VersionId": version}

    def PutSecretValue(self, p):
        name, secret = self._find(self.need(p, "SecretId"))
        version = self.put(name, p.get("SecretString", ""))
        return {"ARN": secret["arn"], "Name": name, "VersionId": version,
                "VersionStages": ["AWSCURRENT"]}

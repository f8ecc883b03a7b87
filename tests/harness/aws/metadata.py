"""The instance metadata service, version 2 only, of one instance, and beside it the endpoint from
which a container (ECS, EKS Pod Identity) has its credentials."""

import json
import secrets
import threading

from .faults import AFTER, spoil
from .journal import Call
from .sts import iso
from ..wire import HttpServer, Response

CONTAINER_PATH = "/v1/credentials"


class MetadataServer:
    """`credential_seconds` is how long credentials are good when they are new; they are replaced
    when half of that has passed, or by rotate(). `container_token` is what the container endpoint
    wants in Authorization."""

    def __init__(self, emulator, instance, credential_seconds=6 * 3600, address="127.0.0.1"):
        self.emulator, self.instance = emulator, instance
        self.credential_seconds, self.container_token = credential_seconds, secrets.token_hex(16)
        self.spot_action = None
        self._tokens, self._lock, self._credentials = {}, threading.Lock(), {}
        self.server = HttpServer(self._answer, address)
        self.url = self.server.url

    @property
    def container_uri(self):
        return self.url + CONTAINER_PATH

    def environment(self):
        """A program's environment on this instance: it has its credentials from here."""
        return {"AWS_ENDPOINT_URL": self.emulator.url,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}

    def rotate(self):
        """The next credentials are new ones; those given out stay good until they expire."""
        with self._lock:
            self._credentials.clear()

    def close(self):
        self.server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _answer(self, request):
        call = Call(request, self.emulator.clock.now())
        call.service = "container" if request.path == CONTAINER_PATH else "imds"
        call.operation = request.path
        call.fault = self.emulator.faults.take(call.service, call.operation)
        response = self._fail(call.fault)
        if response is None:
            response = (self._container(request, call.fault) if call.service == "container"
                        else self._metadata(request, call.fault))
        if call.fault in AFTER:
            response = spoil(response, call.fault)
        response.set("Server", "EC2ws")
        call.status = response.status
        self.emulator.requests.append(call)
        return response

    @staticmethod
    def _fail(fault):
        if fault in ("hang", "reset"):
            return Response(delivery=fault)
        status = {"throttle": 429, "500": 500, "503": 503, "skewed": 503}.get(fault)
        return status and Response(status, [], b"")

    def _metadata(self, request, fault):
        now = self.emulator.clock.now()
        if request.path == "/latest/api/token":
            return self._token(request, now)
        if request.method not in ("GET", "HEAD"):
            return Response(405)
        token = request.header("x-aws-ec2-metadata-token")
        with self._lock:
            good = self._tokens.get(token, 0) > now
        if not good:
            return Response(401, [("Content-Type", "text/html")], "401 - Unauthorized")
        for root in ("/latest/meta-data/", "/latest/"):
            if request.path.startswith(root):
                value = self._value(request.path[len(root):].rstrip("/"), fault,
                                    dynamic=root == "/latest/")
                if value is not None:
                    return Response(200, [("Content-Type", "text/plain")], value)
                break
        return Response(404, [("Content-Type", "text/html")], "404 - Not Found")

    def _token(self, request, now):
        ttl = request.header("x-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return Response(405)
        if request.header("x-forwarded-for") is not None:
            return Response(403)
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return Response(400)
        token = secrets.token_urlsafe(40) + "=="
        with self._lock:
            self._tokens[token] = now + int(ttl)
        return Response(200, [("Content-Type", "text/plain"),
                              ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl)], token)

    def forget_tokens(self):
        """Tokens that were given out are no longer good (as after an instance's stop and start)."""
        with self._lock:
            self._tokens.clear()

    def _session(self, role, fault):
        now = self.emulator.clock.now()
        if fault == "expired":
            return self.emulator.iam.session(role, self.instance.id, -60)
        with self._lock:
            session = self._credentials.get(role)
            if session is None or session.expires - now < self.credential_seconds / 2:
                session = self._credentials[role] = self.emulator.iam.session(
                    role, self.instance.id, self.credential_seconds)
            return session

    def _container(self, request, fault):
        if request.header("authorization") != self.container_token:
            return Response(401, [("Content-Type", "application/json")], json.dumps(
                {"code": "InvalidAuthorization", "message": "the token is not this pod's"}))
        session = self._session(self.instance.role, fault)
        return Response(200, [("Content-Type", "application/json")], json.dumps({
            "AccessKeyId": session.key, "SecretAccessKey": session.secret,
            "Token": session.token, "AccountId": self.emulator.account,
            "Expiration": iso(session.expires)}))

    def _value(self, path, fault, dynamic):
        at, instance = self.emulator, self.instance
        if dynamic:
            if path == "dynamic/instance-identity/document":
                return json.dumps({
                    "accountId": at.account, "architecture": instance.architecture,
                    "availabilityZone": instance.zone, "imageId": instance.image,
                    "instanceId": instance.id, "instanceType": instance.type,
                    "pendingTime": iso(instance.launched), "privateIp": instance.private_ip,
                    "region": at.region, "version": "2017-09-30"}, indent=2)
            return instance.user_data if path == "user-data" else None
        if path == "iam/security-credentials":
            return instance.role
        if path.startswith("iam/security-credentials/"):
            if instance.role is None or path.rsplit("/", 1)[1] != instance.role:
                return None
            session = self._session(instance.role, fault)
            return json.dumps({
                "Code": "Success", "LastUpdated": iso(at.clock.now()), "Type": "AWS-HMAC",
                "AccessKeyId": session.key, "SecretAccessKey": session.secret,
                "Token": session.token, "Expiration": iso(session.expires)}, indent=2)
        if path == "autoscaling/target-lifecycle-state":
            return instance.target_lifecycle_state
        if path.startswith("tags/instance"):
            name = path.partition("tags/instance/")[2]
            return instance.tags.get(name) if name else "\n".join(sorted(instance.tags))
        interface = f"network/interfaces/macs/{instance.mac}/"
        if path.startswith(interface):
            return {"vpc-id": instance.vpc, "subnet-id": instance.subnet,
                    "interface-id": instance.interface, "local-ipv4s": instance.private_ip,
                    "public-ipv4s": instance.public_ip}.get(path[len(interface):])
        return {
            "instance-id": instance.id, "instance-type": instance.type, "ami-id": instance.image,
            "local-ipv4": instance.private_ip, "public-ipv4": instance.public_ip,
            "mac": instance.mac, "placement/region": at.region,
            "placement/availability-zone": instance.zone,
            "placement/availability-zone-id": at.ec2.zone_ids().get(instance.zone),
            "local-hostname": instance.host_name, "hostname": instance.host_name,
            "services/partition": at.partition, "services/domain": "amazonaws.com",
            "network/interfaces/macs": instance.mac + "/",
            "spot/instance-action": self.spot_action and json.dumps(self.spot_action),
        }.get(path)

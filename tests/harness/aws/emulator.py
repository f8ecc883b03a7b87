"""One endpoint that answers for all of the AWS services which the program talks to. A request finds
its service by the scope of its signature; it is checked, carried out, worded, maybe spoiled by an
ordered fault, and written to the journal that tests assert on."""

import email.utils
import threading
import time

from . import protocols, signature
from .autoscaling import AutoScaling
from .cloudformation import CloudFormation
from .cloudwatch import CloudWatch
from .ec2 import Ec2
from .eks import Eks
from .elbv2 import ElasticLoadBalancing
from .faults import AFTER, Faults, spoil
from .iam import Iam
from .journal import Call
from .logs import Logs
from .metadata import MetadataServer
from .protocols import AwsError
from .s3 import S3
from .secretsmanager import SecretsManager
from .servicequotas import ServiceQuotas
from .sns import Sns
from .ssm import Ssm
from .sts import Sts
from ..wire import HttpServer, Response


class Clock:
    """The servers' time; `offset` seconds from this machine's, settable at any time."""

    def __init__(self, offset=0):
        self.offset = offset

    def now(self):
        return time.time() + self.offset

    def advance(self, seconds):
        self.offset += seconds


class Emulator:
    """`credentials` are those of a user who may do everything; `iam` makes others. The services are
    attributes (`ssm`, `logs`, …), and their state is open to the tests. `faults` orders faults,
    `requests` is the journal, `clock` the servers' time."""

    def __init__(self, region="eu-central-1", account="111122223333", partition="aws",
                 address="127.0.0.1", port=0, authority=None):
        self.region, self.account, self.partition = region, account, partition
        self.regions = {region, "us-east-1"}
        self.clock, self.faults, self.lock = Clock(), Faults(), threading.RLock()
        self.requests, self.checks_signatures = [], True
        self.iam = Iam(self)
        self.credentials = self.iam.user()
        self.ssm, self.secretsmanager, self.s3 = Ssm(self), SecretsManager(self), S3(self)
        self.sns, self.logs, self.cloudwatch = Sns(self), Logs(self), CloudWatch(self)
        self.sts, self.ec2, self.autoscaling = Sts(self), Ec2(self), AutoScaling(self)
        self.eks, self.elbv2 = Eks(self), ElasticLoadBalancing(self)
        self.cloudformation, self.servicequotas = CloudFormation(self), ServiceQuotas(self)
        self.services = {each.scope: each for each in (
            self.ssm, self.secretsmanager, self.s3, self.sns, self.logs, self.cloudwatch, self.sts,
            self.ec2, self.autoscaling, self.eks, self.elbv2, self.cloudformation,
            self.servicequotas)}
        self._metadata = []
        self.server = HttpServer(self._answer, address, port, authority)
        self.url, self.port = self.server.url, self.server.port

    def environment(self, credentials=None):
        """A program's environment: the endpoint, the region and somebody's credentials."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": self.region,
                "AWS_DEFAULT_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true",
                **(credentials or self.credentials).environment()}

    def metadata(self, instance=None, **options):
        """A metadata server for an instance (one of `ec2.instances`; by default a new one)."""
        server = MetadataServer(self, instance or self.ec2.launch(), **options)
        self._metadata.append(server)
        return server

    def calls(self, service=None, operation=None):
        """The journal's lines of one operation."""
        return [call for call in list(self.requests)
                if service in (None, call.service) and operation in (None, call.operation)]

    def close(self):
        self.cloudformation.close()
        for server in self._metadata:
            server.close()
        self.server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _answer(self, request):
        call, ident = Call(request, self.clock.now()), protocols.request_id()
        service = self.sts
        try:
            claim, service = self._find(request)
            call.service = service.scope
            call.operation, call.parameters = service.parse(request)
            call.fault = self.faults.take(service.scope, call.operation)
            self._fail_before(call.fault, service)
            credentials = self._authenticate(claim, service, call)
            with self.lock:
                for action, resource, context in service.demands(call.operation, call.parameters):
                    self.iam.authorize(service, credentials, action, resource, context)
                value = service.call(call.operation, call.parameters, credentials)
            response = protocols.PROTOCOLS[service.protocol].result(
                service, call.operation, value, ident)
        except _Undelivered as fault:
            response = Response(delivery=fault.args[0])
        except AwsError as error:
            response = self._word(call, service, error, ident)
        except signature.Rejected as error:
            response = self._word(call, service, protocols.common(
                error.meaning, service, error.message), ident)
        if call.fault in AFTER:
            response = spoil(response, call.fault)
        ahead = 3600 if call.fault in ("skewed", "skewed-date") else 0
        response.set("Date", email.utils.formatdate(self.clock.now() + ahead, usegmt=True))
        call.status = response.status
        self.requests.append(call)
        return response

    @staticmethod
    def _word(call, service, error, ident):
        call.error = error.code
        return protocols.PROTOCOLS[service.protocol].error(service, error, ident)

    def _find(self, request):
        try:
            claim = signature.Claim(request)
        except signature.Rejected as missing:
            if missing.meaning != "missing":
                raise
            if b"Action=" in request.body or "Action=" in request.query:
                return missing, self.sts  # the one service with operations that nobody signs
            if request.header("x-amz-target"):
                raise AwsError("MissingAuthenticationTokenException", "Missing Authentication "
                               "Token") from None
            return missing, self.s3
        if claim.service not in self.services:
            raise signature.Rejected("mismatch", "Credential should be scoped to correct service.")
        return claim, self.services[claim.service]

    @staticmethod
    def _fail_before(fault, service):
        if fault in ("hang", "reset"):
            raise _Undelivered(fault)
        if fault in ("throttle", "500", "503", "expired", "skewed"):
            raise protocols.common(fault, service, {
                "throttle": "Rate exceeded", "expired": "The security token included in the "
                "request is expired", "skewed": "Signature expired: the request is too old",
            }.get(fault, "We encountered an internal error. Please try again."))

    def _authenticate(self, claim, service, call):
        if call.operation in service.public:
            return None
        if isinstance(claim, signature.Rejected):
            raise claim
        credentials = self.iam.find(claim.key)
        if self.checks_signatures:
            signature.verify(claim, credentials, self.regions, self.clock.now())
        call.caller = credentials.arn if credentials else None
        return credentials


class _Undelivered(Exception):
    """The call meets a fault that answers nothing."""

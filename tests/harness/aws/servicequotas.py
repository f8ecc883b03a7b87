"""Service Quotas: how much of something the account may have."""

from .protocols import AwsError
from .service import Service


class ServiceQuotas(Service):
    """`quotas` has what was granted to the account; the address quota is EC2's own."""

    scope, target = "servicequotas", "ServiceQuotasV20190624"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.quotas = {}  # (service, code) -> value

    def _quota(self, p, granted):
        service, code = self.need(p, "ServiceCode", "QuotaCode")
        value = self.quotas.get((service, code))
        if (service, code) == ("ec2", "L-0263D0A3"):  # EC2-VPC Elastic IPs
            value = self.emulator.ec2.address_quota if granted else 5
        if value is None:
            raise AwsError("NoSuchResourceException",
                           "The request failed because the specified service does not exist.")
        return {"Quota": {"ServiceCode": service, "QuotaCode": code, "Value": float(value),
                          "Adjustable": True, "GlobalQuota": False, "Unit": "None"}}

    def GetServiceQuota(self, p):
        return self._quota(p, True)

    def GetAWSDefaultServiceQuota(self, p):
        return self._quota(p, False)

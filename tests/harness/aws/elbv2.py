"""Elastic Load Balancing v2, as far as it is looked at: what stacks have made, and the health of
the targets, which are the instances of the scaling groups that name a target group."""

from .protocols import AwsError
from .service import Service


class ElasticLoadBalancing(Service):
    scope, protocol, version = "elasticloadbalancing", "query", "2015-12-01"
    namespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

    def __init__(self, emulator):
        super().__init__(emulator)
        # arn -> as its Describe operation tells it
        self.balancers, self.target_groups, self.listeners = {}, {}, {}
        self.unhealthy = set()  # ids of instances whose health checks fail

    def DescribeLoadBalancers(self, p):
        return {"LoadBalancers": self._wanted(
            self.balancers, p, "LoadBalancerArns", "LoadBalancerName", "LoadBalancerNotFound",
            "One or more load balancers not found")}

    def DescribeTargetGroups(self, p):
        found = self._wanted(self.target_groups, p, "TargetGroupArns", "TargetGroupName",
                             "TargetGroupNotFound", "One or more target groups not found")
        if "LoadBalancerArn" in p:
            found = [each for each in found if p["LoadBalancerArn"] in each["LoadBalancerArns"]]
        return {"TargetGroups": found}

    def DescribeListeners(self, p):
        return {"Listeners": [each for arn, each in self.listeners.items()
                              if arn in p.get("ListenerArns", [arn]) and each["LoadBalancerArn"]
                              == p.get("LoadBalancerArn", each["LoadBalancerArn"])]}

    def DescribeTargetHealth(self, p):
        arn = self.need(p, "TargetGroupArn")
        if arn not in self.target_groups:
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        out = []
        for group in self.emulator.autoscaling.groups.values():
            for instance in group.instances if arn in group.target_groups else []:
                state = {"State": "healthy"}
                if instance.id in self.unhealthy:
                    state = {"State": "unhealthy", "Reason": "Target.FailedHealthChecks",
                             "Description": "Health checks failed"}
                elif instance.lifecycle.startswith("Terminat"):
                    state = {"State": "draining", "Reason": "Target.DeregistrationInProgress"}
                out.append({"Target": {"Id": instance.id,
                                       "Port": self.target_groups[arn]["Port"]},
                            "TargetHealth": state})
        return {"TargetHealthDescriptions": out}

    @staticmethod
    def _wanted(table, p, arns, name, code, message):
        found = list(table.values())
        if arns in p:
            found = [each for arn, each in table.items() if arn in p[arns]]
            if len(found) < len(p[arns]):
                raise AwsError(code, message)
        if "Names" in p:
            found = [each for each in found if each[name] in p["Names"]]
            if len(found) < len(p["Names"]):
                raise AwsError(code, message)
        return found

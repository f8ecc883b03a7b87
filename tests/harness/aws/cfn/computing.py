"""Resource types of IAM, EKS, launch templates and scaling groups."""

import base64
import json

from ..protocols import AwsError
from . import networks
from . import types as t

# As much of AWS's own managed policies as matters to what is tested.
MANAGED = {
    "AmazonSSMManagedInstanceCore": {"Statement": [{"Effect": "Allow", "Resource": "*", "Action": [
        "ssm:GetParameter", "ssm:GetParameters", "ssm:UpdateInstanceInformation",
        "ssm:DescribeAssociation", "ssmmessages:*", "ec2messages:*"]}]},
    "CloudWatchAgentServerPolicy": {"Statement": [{"Effect": "Allow", "Resource": "*", "Action": [
        "cloudwatch:PutMetricData", "logs:PutLogEvents", "logs:CreateLogStream",
        "logs:CreateLogGroup", "logs:DescribeLogStreams", "logs:DescribeLogGroups"]}]},
}


def _documents(r):
    """All policies of a role, as the evaluation takes them."""
    out = []
    for policy in r.properties.get("Policies", []):
        _check_policy(policy["PolicyDocument"])
        out.append(policy["PolicyDocument"])
    for arn in r.properties.get("ManagedPolicyArns", []):
        own = r.emulator.cloudformation.managed_policies
        if arn in own:
            out.append(own[arn])
        elif ":iam::aws:policy/" in arn:
            out.append(MANAGED.get(arn.rsplit("/", 1)[-1], {"Statement": []}))
        else:
            raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")
    return out


def _check_policy(document):
    statements = document.get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        if (not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny")
                or not ({"Action", "NotAction"} & set(statement))
                or not ({"Resource", "NotResource"} & set(statement))):
            raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.")


def _role(r):
    if r.physical in r.emulator.iam.roles:
        raise AwsError("EntityAlreadyExists", f"Role with name {r.physical} already exists.")
    if len(r.physical) > 64:
        raise AwsError("ValidationError", "roleName must have length less than or equal to 64")
    for statement in r.properties["AssumeRolePolicyDocument"]["Statement"]:
        if "Principal" not in statement or "Resource" in statement:
            raise AwsError("MalformedPolicyDocument", "Invalid trust policy.")
    r.emulator.iam.role(r.physical, _documents(r), r.properties["AssumeRolePolicyDocument"])


def _change_role(r, old):
    r.emulator.iam.roles[r.physical].policies = _documents(r)


def _managed_policy(r):
    _check_policy(r.properties["PolicyDocument"])
    r.emulator.cloudformation.managed_policies[r.physical] = r.properties["PolicyDocument"]
    for role in r.properties.get("Roles", []):
        r.emulator.iam.roles[role].policies.append(r.properties["PolicyDocument"])


def _policy(r):
    _check_policy(r.properties["PolicyDocument"])
    for role in r.properties.get("Roles", []):
        if role not in r.emulator.iam.roles:
            raise AwsError("NoSuchEntity", f"The role with name {role} cannot be found.")
        r.emulator.iam.roles[role].policies.append(r.properties["PolicyDocument"])


def _profile(r):
    role = r.properties["Roles"][0]
    if role not in r.emulator.iam.roles:
        raise AwsError("NoSuchEntity", f"The role with name {role} cannot be found.")
    r.emulator.iam.profiles[r.physical] = role


# EKS.

def cluster_of(r):
    cluster = r.emulator.eks.clusters.get(r.properties["ClusterName"])
    if cluster is None:
        raise AwsError("ResourceNotFoundException",
                       f"No cluster found for name: {r.properties['ClusterName']}.")
    return cluster


def has_role(r, arn, what):
    if not any(role.arn == arn for role in r.emulator.iam.roles.values()):
        raise AwsError("InvalidParameterException", f"{what} with arn: {arn}, could not be assumed "
                       "because it does not exist or the trusted entity is not correct")


def _subnets(r, ids):
    zones = set()
    for ident in ids:
        subnet = r.emulator.ec2.subnets.get(ident)
        if subnet is None:
            raise AwsError("InvalidRequestException", f"The subnet ID '{ident}' does not exist")
        zones.add(subnet["availabilityZone"])
    return zones


def _cluster(r):
    p, at = r.properties, r.emulator
    if r.physical in at.eks.clusters:
        raise AwsError("ResourceInUseException", f"Cluster already exists with name: {r.physical}")
    network = p["ResourcesVpcConfig"]
    if len(_subnets(r, network["SubnetIds"])) < 2:
        raise AwsError("InvalidParameterException", "Subnets specified must be in at least two "
                       "different AZs")
    has_role(r, p["RoleArn"], "Role")
    version = str(p.get("Version", at.eks.versions[0]))
    if version not in at.eks.versions:
        raise AwsError("InvalidParameterException", f"unsupported Kubernetes version {version}")
    vpc = at.ec2.subnets[network["SubnetIds"][0]]["vpcId"]
    cluster = at.eks.add(
        r.physical, version, p.get("KubernetesNetworkConfig", {}).get("ServiceIpv4Cidr",
                                                                      "10.100.0.0/16"),
        vpc, p["RoleArn"], p.get("AccessConfig", {}).get("AuthenticationMode", "CONFIG_MAP"),
        _true(network.get("EndpointPrivateAccess", False)),
        _true(network.get("EndpointPublicAccess", True)), network["SubnetIds"])
    told = cluster.told["resourcesVpcConfig"]
    told["securityGroupIds"] = network.get("SecurityGroupIds", [])
    networks.add_group(at, told["clusterSecurityGroupId"], f"eks-cluster-sg-{r.physical}", vpc,
                       "EKS created security group")
    r.kept["group"] = told["clusterSecurityGroupId"]


def _true(value):
    return str(value).lower() == "true"


def _change_cluster(r, old):
    told = r.emulator.eks.clusters[r.physical].told
    wanted = str(r.properties.get("Version", told["version"]))
    if wanted != told["version"]:
        steps = int(wanted.split(".")[1]) - int(told["version"].split(".")[1])
        if steps != 1 or wanted not in r.emulator.eks.versions:
            raise AwsError("InvalidParameterException", f"Unsupported Kubernetes minor version "
                           f"update from {told['version']} to {wanted}")
        told["version"] = wanted


def _drop_cluster(r):
    cluster = r.emulator.eks.clusters[r.physical]
    if _true(r.properties.get("DeletionProtection", False)):
        raise AwsError("InvalidRequestException", "Cannot delete cluster because deletion "
                       "protection is enabled.")
    if cluster.nodegroups:
        raise AwsError("ResourceInUseException", "Cluster has nodegroups attached")
    del r.emulator.eks.clusters[r.physical]
    r.emulator.ec2.security_groups.pop(r.kept["group"], None)


def _told(path):
    def attribute(r):
        value = r.emulator.eks.clusters[r.physical].told
        for part in path.split("."):
            value = value[part]
        return value
    return attribute


def _entry(r):
    cluster, p = cluster_of(r), r.properties
    if cluster.told["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise AwsError("InvalidRequestException", "The cluster's authentication mode must be set "
                       "to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
    if p["PrincipalArn"] in cluster.access_entries:
        raise AwsError("ResourceInUseException", "The specified access entry resource is already "
                       "in use on this cluster.")
    r.emulator.eks.check_groups(p.get("KubernetesGroups", ()))
    entry = r.emulator.eks.entry(cluster, p["PrincipalArn"], p.get("Type", "STANDARD"),
                                 p.get("KubernetesGroups", ()), p.get("Username"))
    _policies(r, entry)
    r.kept["arn"] = entry["accessEntryArn"]


def _policies(r, entry):
    now = r.emulator.clock.now()
    entry["associated"] = [
        {"policyArn": each["PolicyArn"], "associatedAt": now, "modifiedAt": now,
         "accessScope": {"type": each["AccessScope"]["Type"],
                         "namespaces": each["AccessScope"].get("Namespaces", [])}}
        for each in r.properties.get("AccessPolicies", [])]


def _change_entry(r, old):
    entry = cluster_of(r).access_entries[r.properties["PrincipalArn"]]
    entry["kubernetesGroups"] = r.properties.get("KubernetesGroups", [])
    _policies(r, entry)


def _drop_entry(r):
    cluster = r.emulator.eks.clusters.get(r.properties["ClusterName"])
    if cluster:
        cluster.access_entries.pop(r.properties["PrincipalArn"], None)


def _addon(r):
    cluster, p = cluster_of(r), r.properties
    if p["AddonName"] == "coredns" and not cluster.nodegroups:
        raise AwsError("InsufficientNumberOfReplicas", "The add-on is unhealthy because all "
                       "deployments have all pods unscheduled no nodes available to schedule pods")
    if "ConfigurationValues" in p:
        json.loads(p["ConfigurationValues"])
    now = r.emulator.clock.now()
    r.kept.setdefault("arn", r.emulator.eks.arn(
        f"addon/{p['ClusterName']}/{p['AddonName']}/{t.guid()}"))
    cluster.addons[p["AddonName"]] = {
        "addonName": p["AddonName"], "clusterName": p["ClusterName"], "status": "ACTIVE",
        "addonVersion": p.get("AddonVersion", "v1.21.1-eksbuild.1"), "health": {"issues": []},
        "addonArn": r.kept["arn"],
        "createdAt": now, "modifiedAt": now, "tags": {},
        "configurationValues": p.get("ConfigurationValues", "")}


def _drop_addon(r):
    cluster = r.emulator.eks.clusters.get(r.properties["ClusterName"])
    if cluster:
        cluster.addons.pop(r.properties["AddonName"], None)


def _nodegroup_name(r):
    return r.properties.get("NodegroupName") or r.kept.setdefault("name", t.named(None, 63)(r))


def _nodegroup(r):
    cluster, p, at = cluster_of(r), r.properties, r.emulator
    has_role(r, p["NodeRole"], "NodeRole")
    _subnets(r, p["Subnets"])
    name, scaling = _nodegroup_name(r), p.get("ScalingConfig", {})
    template = p.get("LaunchTemplate", {})
    if template:
        _template(r, template)
    group = at.autoscaling.add(
        f"eks-{name}-{t.guid()}", int(scaling.get("MinSize", 1)), int(scaling.get("MaxSize", 2)),
        int(scaling.get("DesiredSize", 2)))
    r.kept["group"] = group.name
    now = at.clock.now()
    cluster.nodegroups[name] = {
        "nodegroupName": name, "clusterName": p["ClusterName"], "status": "ACTIVE",
        "nodegroupArn": at.eks.arn(f"nodegroup/{p['ClusterName']}/{name}/{t.guid()}"),
        "version": cluster.told["version"], "releaseVersion": p.get("ReleaseVersion"),
        "capacityType": p.get("CapacityType", "ON_DEMAND"), "subnets": p["Subnets"],
        "amiType": p.get("AmiType", "AL2023_x86_64_STANDARD"), "nodeRole": p["NodeRole"],
        "instanceTypes": p.get("InstanceTypes", ["t3.medium"]), "createdAt": now,
        "modifiedAt": now, "scalingConfig": {
            "minSize": group.least, "maxSize": group.most, "desiredSize": group.desired},
        "resources": {"autoScalingGroups": [{"name": group.name}]}, "health": {"issues": []},
        "labels": p.get("Labels", {}), "tags": p.get("Tags", {})}
    if cluster.told["accessConfig"]["authenticationMode"] != "CONFIG_MAP":
        at.eks.entry(cluster, p["NodeRole"], "EC2_LINUX", ["system:nodes"],
                     "system:node:{{EC2PrivateDNSName}}")


def _change_nodegroup(r, old):
    told, scaling = cluster_of(r).nodegroups[_nodegroup_name(r)], r.properties.get(
        "ScalingConfig", {})
    group = r.emulator.autoscaling.groups[r.kept["group"]]
    group.least = int(scaling.get("MinSize", group.least))
    group.most = int(scaling.get("MaxSize", group.most))
    r.emulator.autoscaling.resize(group, int(scaling.get("DesiredSize", group.desired)))
    told.update(version=cluster_of(r).told["version"], labels=r.properties.get("Labels", {}),
                scalingConfig={"minSize": group.least, "maxSize": group.most,
                               "desiredSize": group.desired})


def _drop_nodegroup(r):
    cluster = r.emulator.eks.clusters.get(r.properties["ClusterName"])
    if cluster:
        cluster.nodegroups.pop(_nodegroup_name(r), None)
        cluster.access_entries.pop(r.properties["NodeRole"], None)
    r.emulator.autoscaling.remove(r.kept["group"])


# Launch templates and scaling groups.

def _template(r, specification):
    """The data of a launch template's version."""
    templates, ident = r.emulator.ec2.templates, specification.get("LaunchTemplateId",
                                                                   specification.get("Id"))
    if ident not in templates:
        raise AwsError("ValidationError", f"The specified launch template, with template ID "
                       f"{ident}, does not exist.")
    versions, wanted = templates[ident], str(specification.get("Version", "$Default"))
    if wanted.startswith("$"):
        return versions[-1 if wanted == "$Latest" else 0]
    if not 1 <= int(wanted) <= len(versions):
        raise AwsError("ValidationError", f"Could not find launch template version {wanted}")
    return versions[int(wanted) - 1]


def _check_data(r):
    size = len(base64.b64decode(r.properties["LaunchTemplateData"].get("UserData", "")))
    if size > 16384:
        raise AwsError("InvalidUserData.Malformed", "User data is limited to 16384 bytes")


def _launch_template(r):
    _check_data(r)
    r.emulator.ec2.templates[r.physical] = [r.properties["LaunchTemplateData"]]


def _change_template(r, old):
    _check_data(r)
    if r.properties["LaunchTemplateData"] != old["LaunchTemplateData"]:
        r.emulator.ec2.templates[r.physical].append(r.properties["LaunchTemplateData"])


def _options(r):
    """What the group's instances are launched with."""
    p = r.properties
    overrides = []
    if "MixedInstancesPolicy" in p:
        mixed = p["MixedInstancesPolicy"]["LaunchTemplate"]
        overrides = mixed.get("Overrides", [])
        data = _template(r, mixed["LaunchTemplateSpecification"])
    else:
        data = _template(r, p["LaunchTemplate"])
    profile = data.get("IamInstanceProfile", {})
    name = profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1]
    if name and name not in r.emulator.iam.profiles:
        raise AwsError("ValidationError", f"Invalid IamInstanceProfile: {name}")
    kinds = [each["InstanceType"] for each in overrides if "InstanceType" in each]
    interface = (data.get("NetworkInterfaces") or [{}])[0]
    return {"role": r.emulator.iam.profiles.get(name), "image": data.get("ImageId"),
            "type": kinds[0] if kinds else data.get("InstanceType", "c7g.large"),
            "public": _true(interface.get("AssociatePublicIpAddress", False)),
            "user_data": data.get("UserData")}


def _group(r):
    p, at = r.properties, r.emulator
    if r.physical in at.autoscaling.groups:
        raise AwsError("AlreadyExists", f"AutoScalingGroup by this name already exists - "
                       f"{r.physical}")
    subnets = _group_subnets(r)
    for arn in p.get("TargetGroupARNs", []):
        if arn not in at.elbv2.target_groups:
            raise AwsError("ValidationError", f"Provided Target Groups may not be valid: {arn}")
    least, most = int(p["MinSize"]), int(p["MaxSize"])
    desired = int(p.get("DesiredCapacity", least))
    if not least <= desired <= most:
        raise AwsError("ValidationError", "Desired capacity must be between the specified min "
                       "size and max size")
    group = at.autoscaling.add(r.physical, least, most, 0, sorted(subnets), p.get(
        "LifecycleHookSpecificationList", ()), **_options(r))
    group.subnets, group.target_groups = subnets, list(p.get("TargetGroupARNs", []))
    group.tags = {each["Key"]: each["Value"] for each in p.get("Tags", [])
                  if _true(each.get("PropagateAtLaunch", False))}
    group.desired = desired
    at.autoscaling.fill(group)
    return r.signals_wanted()


def _group_subnets(r):
    ids = r.properties.get("VPCZoneIdentifier", [])
    _subnets(r, ids)
    return {r.emulator.ec2.subnets[i]["availabilityZone"]: i for i in ids}


def _change_group(r, old):
    p, scaling = r.properties, r.emulator.autoscaling
    group, options = scaling.groups[r.physical], _options(r)
    group.least, group.most = int(p["MinSize"]), int(p["MaxSize"])
    wanted = int(p.get("DesiredCapacity", min(max(group.desired, group.least), group.most)))
    changed = any(old.get(key) != p.get(key) for key in ("LaunchTemplate", "MixedInstancesPolicy"))
    group.options = options
    scaling.resize(group, wanted)
    rolling = r.definition.get("UpdatePolicy", {}).get("AutoScalingRollingUpdate")
    if not changed or not rolling:
        return None
    replaced = list(group.alive())
    for instance in replaced:
        scaling.terminate(instance)
    return len(replaced) if _true(rolling.get("WaitOnResourceSignals", False)) else None


def _drop_scaling(r):
    if r.physical in r.emulator.autoscaling.groups:
        r.emulator.autoscaling.remove(r.physical)


def _hook(r):
    p = dict(r.properties)
    group = r.emulator.autoscaling.groups.get(p["AutoScalingGroupName"])
    if group is None:
        raise AwsError("ValidationError", f"AutoScalingGroup name not found - "
                       f"{p['AutoScalingGroupName']}")
    r.emulator.autoscaling.put_hook(group, {**p, "LifecycleHookName": r.physical})


def _iam_arn(kind):
    return t.arn("iam", lambda r: f"{kind}/{r.physical}", region=False)


_SCALING_POLICY = t.arn("autoscaling", lambda r: f"scalingPolicy:{t.guid()}:autoScalingGroupName/"
                        f"{r.properties['AutoScalingGroupName']}:policyName/{r.logical}")

TYPES = {
    "AWS::IAM::Role": t.Kind(t.named("RoleName"), {
        "Arn": _iam_arn("role"), "RoleId": lambda r: r.emulator.iam.roles[r.physical].id},
        "RoleName Path", _role, _change_role,
        lambda r: r.emulator.iam.roles.pop(r.physical, None)),
    "AWS::IAM::InstanceProfile": t.Kind(
        t.named("InstanceProfileName"), {"Arn": _iam_arn("instance-profile")},
        "InstanceProfileName Path", _profile, lambda r, old: _profile(r),
        lambda r: r.emulator.iam.profiles.pop(r.physical, None)),
    "AWS::IAM::ManagedPolicy": t.Kind(
        t.arn("iam", lambda r: "policy/" + t.named("ManagedPolicyName")(r), region=False),
        {"PolicyArn": t.physical}, "ManagedPolicyName Path Description", _managed_policy),
    "AWS::IAM::Policy": t.Kind(t.named(), {"Id": t.physical}, "", _policy),
    "AWS::EKS::Cluster": t.Kind(t.named("Name", 100), {
        "Arn": _told("arn"), "Endpoint": _told("endpoint"), "Id": t.physical,
        "CertificateAuthorityData": _told("certificateAuthority.data"),
        "ClusterSecurityGroupId": _told("resourcesVpcConfig.clusterSecurityGroupId"),
        "OpenIdConnectIssuerUrl": _told("identity.oidc.issuer"),
        "EncryptionConfigKeyArn": lambda r: r.properties["EncryptionConfig"][0]["Provider"][
            "KeyArn"]},
        "Name RoleArn KubernetesNetworkConfig BootstrapSelfManagedAddons EncryptionConfig",
        _cluster, _change_cluster, _drop_cluster),
    "AWS::EKS::AccessEntry": t.Kind(t.joined("PrincipalArn", "ClusterName"), {
        "AccessEntryArn": lambda r: r.kept["arn"]}, "ClusterName PrincipalArn Type",
        _entry, _change_entry, _drop_entry),
    "AWS::EKS::Addon": t.Kind(t.joined("ClusterName", "AddonName"), {
        "Arn": lambda r: cluster_of(r).addons[r.properties["AddonName"]]["addonArn"]},
        "ClusterName AddonName", _addon, lambda r, old: _addon(r), _drop_addon),
    "AWS::EKS::Nodegroup": t.Kind(
        lambda r: f"{r.properties['ClusterName']}/{_nodegroup_name(r)}", {
            "Arn": lambda r: cluster_of(r).nodegroups[_nodegroup_name(r)]["nodegroupArn"],
            "ClusterName": t.prop("ClusterName"), "NodegroupName": _nodegroup_name,
            "Id": t.physical},
        "ClusterName NodegroupName NodeRole Subnets AmiType CapacityType DiskSize InstanceTypes "
        "RemoteAccess", _nodegroup, _change_nodegroup, _drop_nodegroup),
    "AWS::EKS::PodIdentityAssociation": t.Kind(
        lambda r: f"{r.properties['ClusterName']}|a-{t.hexadecimal()}", {
            "AssociationArn": lambda r: r.emulator.eks.arn("podidentityassociation/"
                                                           + r.physical.replace("|", "/")),
            "AssociationId": lambda r: r.physical.split("|")[1]},
        "ClusterName Namespace ServiceAccount", lambda r: cluster_of(r) and None),
    "AWS::EC2::LaunchTemplate": t.Kind(t.ident("lt"), {
        "LaunchTemplateId": t.physical, "DefaultVersionNumber": lambda r: "1",
        "LatestVersionNumber": lambda r: str(len(r.emulator.ec2.templates[r.physical]))},
        "LaunchTemplateName", _launch_template, _change_template,
        lambda r: r.emulator.ec2.templates.pop(r.physical, None)),
    "AWS::AutoScaling::AutoScalingGroup": t.Kind(
        t.named("AutoScalingGroupName", 255), {
            "AutoScalingGroupARN": lambda r: r.emulator.autoscaling.groups[r.physical].arn},
        "AutoScalingGroupName", _group, _change_group, _drop_scaling),
    "AWS::AutoScaling::LifecycleHook": t.Kind(
        t.named("LifecycleHookName"), {}, "AutoScalingGroupName LifecycleHookName", _hook,
        lambda r, old: _hook(r)),
    "AWS::AutoScaling::ScalingPolicy": t.Kind(
        _SCALING_POLICY, {"Arn": t.physical, "PolicyName": lambda r: r.logical},
        "AutoScalingGroupName"),
    "AWS::AutoScaling::ScheduledAction": t.Kind(t.named(), {"ScheduledActionName": t.physical},
                                                "AutoScalingGroupName"),
}

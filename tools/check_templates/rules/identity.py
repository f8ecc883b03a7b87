"""What roles may do, and who may take them."""

import re

from ..template import SUB, intrinsic, items, line_of, line_of_cluster, walk

# Actions that only read; AWS's own names begin so.
_READS = re.compile(r"^[a-z0-9-]+:(Describe|Get|List|Search|Lookup|Query|View|BatchGet)\w*\*?$")
# What has no resource in IAM, and the condition that narrows it.
_NARROWED = {"cloudwatch:PutMetricData": "cloudwatch:namespace"}

# What stands before the colon of an action: not always the name in the service's endpoint.
_SERVICES = frozenset("""
    access-analyzer account acm acm-pca airflow amplify aoss apigateway appconfig application-autoscaling
    appmesh apprunner appsync aps athena autoscaling backup batch bedrock budgets ce cloudformation
    cloudfront cloudhsm cloudshell cloudtrail cloudwatch codeartifact codebuild codecommit codedeploy
    codepipeline cognito-identity cognito-idp compute-optimizer config connect datasync dax detective
    directconnect dlm dms ds dynamodb ebs ec2 ec2-instance-connect ec2messages ecr ecr-public ecs eks
    eks-auth elasticache elasticbeanstalk elasticfilesystem elasticloadbalancing elasticmapreduce es
    events execute-api firehose fis fsx glacier globalaccelerator glue grafana guardduty health iam
    identitystore imagebuilder inspector2 iot kafka kafka-cluster kendra kinesis kms lakeformation
    lambda license-manager logs macie2 mq network-firewall oam organizations pipes polly pricing
    quicksight ram rds rds-data rds-db redshift rekognition resource-explorer-2 resource-groups
    rolesanywhere route53 route53domains route53resolver rum s3 s3-object-lambda s3express sagemaker
    savingsplans scheduler schemas sdb secretsmanager securityhub servicecatalog servicediscovery
    servicequotas ses shield signer sns sqs ssm ssm-guiconnect ssmmessages sso sso-directory states
    storagegateway sts support swf synthetics tag textract timestream transcribe transfer translate
    trustedadvisor vpc-lattice waf waf-regional wafv2 wellarchitected workspaces xray""".split())
_MEANT = {"monitoring": "cloudwatch", "elb": "elasticloadbalancing", "efs": "elasticfilesystem",
          "email": "ses", "eventbridge": "events", "stepfunctions": "states", "emr":
          "elasticmapreduce", "systemsmanager": "ssm", "cloudwatchlogs": "logs", "msk": "kafka"}


def _statements(template):
    """(holder, statement) of what identities may do."""
    for name, properties, _ in template.of_type("AWS::IAM::Role", "AWS::IAM::Policy",
                                                "AWS::IAM::ManagedPolicy"):
        documents = [each.get("PolicyDocument", {})
                     for each in items(properties.get("Policies", []))]
        documents.append(properties.get("PolicyDocument", {}))
        for document in documents:
            for statement in items(document.get("Statement", [])):
                yield name, statement


def _list(value):
    return value if isinstance(value, list) else [value]


def actions_of_services(template):
    """An action of a service that is none allows nothing, and nobody says so."""
    for _, statement in walk(template.resources):
        if not isinstance(statement, dict) or "Effect" not in statement:
            continue
        for action in [*_list(statement.get("Action", [])), *_list(statement.get("NotAction", []))]:
            service = action.split(":")[0] if isinstance(action, str) else "*"
            if service != "*" and service not in _SERVICES:
                yield line_of(action, line_of(statement)), f"{action} is no action of any service", \
                    f"{_MEANT[service]} is meant" if service in _MEANT else \
                    "see the service authorization reference"


def _names_in(value):
    """The names that a value refers to, by Ref or within Fn::Sub."""
    name, argument = intrinsic(value)
    if name == "Ref":
        return [argument]
    return SUB.findall(argument if isinstance(argument, str) else argument[0]) \
        if name == "Fn::Sub" else []


def no_wildcard_writes(template):
    for name, statement in _statements(template):
        if statement.get("Effect") != "Allow" or "*" not in _list(statement.get("Resource", "")):
            continue
        for action in _list(statement.get("Action", "*")):
            narrowed = _NARROWED.get(action, "-") in str(statement.get("Condition", ""))
            if not _READS.match(action) and not narrowed:
                yield line_of(statement), f"{name} may {action} everywhere", \
                    "name the resource, or narrow it by a condition on its tag"


def no_wildcard_actions(template):
    for name, statement in _statements(template):
        for action in _list(statement.get("Action", "-")):
            if statement.get("Effect") == "Allow" and (action == "*" or action.endswith(":*")):
                yield line_of(statement), f"{name} may do {action}", "name the actions"


def peering_between_two(template):
    for name, statement in _statements(template):
        conditions = str(statement.get("Condition", ""))
        if "ec2:AcceptVpcPeeringConnection" in _list(statement.get("Action", "")) \
                and "vpc-peering-connection/" in str(statement.get("Resource", "")):
            for key in ("ec2:AccepterVpc", "ec2:RequesterVpc"):
                if key not in conditions:
                    yield line_of(statement), f"{name} may accept a peering whatever its {key} is", \
                        f"a condition on {key}"


def addresses_by_tag(template):
    for name, statement in _statements(template):
        if "ec2:AssociateAddress" in _list(statement.get("Action", "")) and \
                "aws:ResourceTag/" not in str(statement.get("Condition", "")):
            yield line_of(statement), f"{name} may take any address of the account", \
                "a condition on aws:ResourceTag"


def keys_of_others_usable(template):
    """Who publishes to a topic, or reads a bucket or secret, that a parameter names, needs the right to
    its key: SNS and S3 ask for it in the caller's name, and nothing says so before the first call."""
    services = {"sns:Publish": "sns", "s3:GetObject": "s3",
                "secretsmanager:GetSecretValue": "secretsmanager"}
    statements = list(_statements(template))
    for name, statement in statements:
        used = {each for path, value in walk(statement.get("Resource", ""))
                for each in _names_in(value)} & set(template.parameters)
        through = " ".join(str(each.get("Condition", "")) for holder, each in statements
                           if holder == name and "kms:Decrypt" in _list(each.get("Action", "")))
        for action, service in services.items():
            if used and statement.get("Effect") == "Allow" \
                    and action in _list(statement.get("Action", "")) \
                    and not re.search(rf"'{service}\.", through):
                yield line_of(statement), \
                    f"{name} may {action}, and not use the key of {min(used)}", \
                    f"kms:Decrypt where kms:ViaService is {service}"


def service_role_narrow(template):
    """The role of the cluster: what EKS needs today, and not what it once needed."""
    for name, properties, _ in template.of_type("AWS::IAM::Role"):
        trust = properties.get("AssumeRolePolicyDocument", {})
        statements = list(items(trust.get("Statement", [])))
        services = [each.get("Principal", {}).get("Service") for each in statements
                    if isinstance(each.get("Principal"), dict)]
        if "eks.amazonaws.com" not in services:
            continue
        actions = [action for each in statements for action in _list(each.get("Action", ""))]
        if "sts:TagSession" not in actions:
            yield line_of(properties), f"{name} cannot be taken with session tags", \
                "sts:AssumeRole and sts:TagSession"
        for arn in items(properties.get("ManagedPolicyArns", [])):
            if not str(intrinsic(arn)[1] or arn).endswith("/AmazonEKSClusterPolicy"):
                yield line_of(arn, line_of(properties)), f"{name} has more than it needs", \
                    "AmazonEKSClusterPolicy alone"


def nodes_without_cni_policy(template):
    for name, properties, _ in template.of_type("AWS::IAM::Role"):
        arns = [str(intrinsic(arn)[1] or arn)
                for arn in items(properties.get("ManagedPolicyArns", []))]
        trust = str(properties.get("AssumeRolePolicyDocument", ""))
        if "ec2.amazonaws.com" in trust and any("AmazonEKS_CNI_Policy" in arn for arn in arns):
            yield line_of(properties), f"{name}, and what runs on its nodes, may do as the CNI", \
                "give the policy to the CNI's own identity"


def parameters_not_read_by_others(template):
    """AmazonSSMManagedInstanceCore reads every parameter; a role with secrets near denies that."""
    for name, properties, _ in template.of_type("AWS::IAM::Role"):
        arns = [str(intrinsic(arn)[1] or arn)
                for arn in items(properties.get("ManagedPolicyArns", []))]
        denies = any("ssm:GetParameter" in _list(statement.get("Action", ""))
                     and statement.get("Effect") == "Deny"
                     for holder, statement in _statements(template) if holder == name)
        reads = any("ssm:GetParameter" in _list(statement.get("Action", ""))
                    for holder, statement in _statements(template) if holder == name)
        if reads and not denies and any("AmazonSSMManagedInstanceCore" in arn for arn in arns):
            yield line_of(properties), f"{name} may read every parameter of the account", \
                "a Deny of ssm:GetParameter with NotResource"


def cluster_access_by_entries(template):
    for name, properties, _ in template.of_type("AWS::EKS::Cluster"):
        access = properties.get("AccessConfig", {})
        if not access.get("AuthenticationMode") or \
                access.get("BootstrapClusterCreatorAdminPermissions") != "false":
            yield line_of(access, line_of(properties)), \
                f"whoever makes {name} administers it for ever, unseen", \
                "AuthenticationMode: API, no rights by making, and access entries"


def cluster_describable(template):
    """A gateway finds its cluster, and no other, by eks:DescribeCluster."""
    line = line_of_cluster(template)
    found = [statement for _, statement in _statements(template)
             if statement.get("Effect") == "Allow"
             and "eks:DescribeCluster" in _list(statement.get("Action", ""))]
    if line and not found:
        yield line, "no role may find the cluster that is asked here", \
            "eks:DescribeCluster on that cluster"
    for statement in found:
        if "*" in str(statement.get("Resource", "*")):
            yield line_of(statement), "any cluster may be looked at", "name the one cluster"


def gateways_enter_by_group(template):
    """What gateways may do in a cluster is said there, of a group; a policy of AWS is wider."""
    line = line_of_cluster(template)
    entries = [properties for _, properties, _ in template.of_type("AWS::EKS::AccessEntry")]
    if line and not entries:
        yield line, "the cluster that is asked here knows no gateway", \
            "an AWS::EKS::AccessEntry of the gateways' role"
    for properties in entries if line else ():
        if not properties.get("KubernetesGroups") or properties.get("AccessPolicies"):
            yield line_of(properties), "gateways have more than the rights of their group", \
                "KubernetesGroups: [ebbgate-gateways], and no AccessPolicies"


def cluster_secrets_encrypted(template):
    for name, properties, _ in template.of_type("AWS::EKS::Cluster"):
        if "EncryptionConfig" not in properties:
            yield line_of(properties), f"secrets of {name} have no key of yours", "EncryptionConfig"

"""SNS: topics, and what was published to them."""

import uuid

from .protocols import AwsError, Flat
from .service import Service


class Topic:
    """`messages` has what was delivered: dicts of Subject, Message, attributes and the caller."""

    def __init__(self, arn, key=None):
        self.arn, self.key, self.messages, self.subscriptions = arn, key, [], []
        self.undelivered = []  # (sender, why) of what a service could not publish


class Sns(Service):
    scope, protocol, version = "sns", "query", "2010-03-31"
    namespace = "http://sns.amazonaws.com/doc/2010-03-31/"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.topics = {}  # arn -> Topic

    def add(self, name, key=None):
        """For tests: a topic."""
        return self.topics.setdefault(self.arn(name), Topic(self.arn(name), key))

    def resource(self, operation, p):
        return p.get("TopicArn") or (self.arn(p["Name"]) if "Name" in p else None)

    def _topic(self, p):
        arn = p.get("TopicArn") or p.get("TargetArn") or ""
        if arn.count(":") != 5:
            raise AwsError("InvalidParameter", "Invalid parameter: TopicArn")
        if arn not in self.topics:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return self.topics[arn]

    def Publish(self, p):
        topic, message, subject = self._topic(p), p.get("Message", ""), p.get("Subject")
        if not message:
            raise AwsError("InvalidParameter", "Invalid parameter: Empty message")
        if len(message.encode()) > 262144:
            raise AwsError("InvalidParameter", "Invalid parameter: Message too long")
        if subject is not None and not (0 < len(subject) <= 100 and subject.isascii()
                                        and subject.isprintable() and subject[0] != " "):
            raise AwsError("InvalidParameter", "Invalid parameter: Subject")
        entries = p.get("MessageAttributes", {}).get("entry", [])
        ident = str(uuid.uuid4())
        topic.messages.append({
            "MessageId": ident, "Subject": subject, "Message": message,
            "Attributes": {each["Name"]: each["Value"].get("StringValue") for each in entries},
            "Caller": self.caller.arn if self.caller else None})
        return {"MessageId": ident}

    def deliver(self, arn, subject, message, sender):
        """What another service sends; one that cannot use the topic's key delivers nothing."""
        topic = self.topics.get(arn)
        if topic is None:
            return False
        if topic.key and not self._may_use(topic.key, sender):
            topic.undelivered.append((sender, f"{sender} may not use {topic.key}"))
            return False
        topic.messages.append({"MessageId": str(uuid.uuid4()), "Subject": subject,
                               "Message": message, "Attributes": {}, "Caller": sender})
        return True

    def _may_use(self, key, sender):
        if key.startswith("alias/aws/"):
            return False  # an AWS managed key's policy admits no other service
        policy = self.emulator.cloudformation.keys.get(key.rsplit("/", 1)[-1], {})
        for statement in policy.get("Statement", []):
            principal = statement.get("Principal", {})
            services = principal.get("Service", []) if isinstance(principal, dict) else []
            if statement["Effect"] == "Allow" and sender in (
                    services if isinstance(services, list) else [services]):
                return True
        return False

    def CreateTopic(self, p):
        key = next((each["value"] for each in p.get("Attributes", {}).get("entry", [])
                    if each["key"] == "KmsMasterKeyId"), None)
        return {"TopicArn": self.add(p["Name"], key).arn}

    def ListTopics(self, p):
        return {"Topics": [{"TopicArn": arn} for arn in self.topics]}

    def GetTopicAttributes(self, p):
        topic = self._topic(p)
        entries = {"TopicArn": topic.arn, "Owner": self.emulator.account,
                   "SubscriptionsConfirmed": "0",
                   "SubscriptionsPending": str(len(topic.subscriptions))}
        if topic.key:
            entries["KmsMasterKeyId"] = topic.key
        return {"Attributes": {"entry": Flat(
            {"key": key, "value": value} for key, value in entries.items())}}

    def Subscribe(self, p):
        self._topic(p).subscriptions.append((p["Protocol"], p.get("Endpoint")))
        return {"SubscriptionArn": "pending confirmation"}

    def ListSubscriptionsByTopic(self, p):
        topic = self._topic(p)
        return {"Subscriptions": [
            {"SubscriptionArn": "PendingConfirmation", "Owner": self.emulator.account,
             "Protocol": protocol, "Endpoint": endpoint, "TopicArn": topic.arn}
            for protocol, endpoint in topic.subscriptions]}

"""User data: what instances are told at their start. What shellcheck, systemd and the schemas of
NodeConfig and Bottlerocket find is in ../userdata.py."""

import re

from ..template import SUB, PSEUDO, intrinsic, line_of, walk


def _texts(template):
    """(text, its first line) of each literal within a UserData."""
    for path, value in walk(template.resources):
        if "UserData" in path and isinstance(value, str) and "\n" in value:
            yield value, line_of(value) + 1


def _found(pattern, template):
    for text, line in _texts(template):
        for match in re.finditer(pattern, text, re.M):
            yield line + text.count("\n", 0, match.start()), match.group().strip()


def no_docker(template):
    for line, found in _found(r"docker\.service\.d|/etc/docker/|systemctl \w+ docker\b", template):
        yield line, f"{found}: EKS runs containerd", "NodeConfig's environment reaches it"


def no_bootstrap_script(template):
    for line, found in _found(r"/etc/eks/bootstrap\.sh|/opt/aws/bin/cfn-init", template):
        yield line, f"{found} is Amazon Linux 2's", \
            "a part application/node.eks.aws with a NodeConfig"


def no_boothook(template):
    for line, found in _found(r"text/cloud-boothook", template):
        yield line, "a boothook runs after nodeadm has configured the node", \
            "spec.instance.environment of NodeConfig"


def stops_at_errors(template):
    for text, line in _texts(template):
        for script in re.finditer(r"^#!/bin/(ba)?sh.*\n(?:#.*\n)*(.*)", text, re.M):
            if "set -euo pipefail" not in text[script.start():script.start() + 800]:
                yield line + text.count("\n", 0, script.start()), \
                    "the script goes on after an error", "set -euo pipefail"


def no_late_exit_code(template):
    for line, found in _found(r"cfn-signal.*\$\?", template):
        yield line, f"{found}: the exit code is of whatever came before", \
            "signal success where it is known, and failure in a trap"


def writes_are_repeatable(template):
    for text, line in _texts(template):
        for match in re.finditer(r">>\s*(\S+)", text):
            target = re.escape(match.group(1))
            if not re.search(r"sed -i .*BEGIN.*END.*d' " + target, text[:match.start()]):
                yield line + text.count("\n", 0, match.start()), \
                    f"{match.group(1)} grows each time", "write it whole, or replace a marked part"


def no_restart_for_a_list(template):
    restarts = r"crontab\b.*|/etc/cron\S*|squid -k \w+|systemctl (reload|restart) squid"
    for line, found in _found(restarts, template):
        yield line, f"{found}: a change of the list drops tunnels", \
            "policy-source: the gateway polls and swaps by itself"


def no_restart_after_the_end(template):
    for line, found in _found(r"^\s*Restart=always", template):
        yield line, f"{found}: what has drained is started again on an instance that ends", \
            "Restart=on-failure"


def no_secrets_cli(template):
    for line, found in _found(r"aws secretsmanager get-secret-value.*>.*", template):
        yield line, "an error of the API writes an empty list", \
            "policy-source: secretsmanager://NAME"


def program_by_digest(template):
    for text, line in _texts(template):
        fetches = r"aws s3(api get-object| cp).*|curl .*(https://\S+)\s.*-o.*"
        for match in re.finditer(fetches, text):
            if "sha256sum --check" not in text:
                yield line + text.count("\n", 0, match.start()), \
                    "what was fetched is run unseen", "check it by sha256sum --check"


def inputs_have_a_form(template):
    """What a person types goes into a script only by a pattern that holds no shell."""
    for path, value in walk(template.resources):
        name, argument = intrinsic(value)
        if "UserData" not in path or name not in ("Fn::Sub", "Ref"):
            continue
        text = argument if isinstance(argument, str) else argument[0]
        used = [argument] if name == "Ref" else SUB.findall(text)
        for each in used:
            parameter = template.parameters.get(each)
            if parameter is None or each in PSEUDO or parameter.get("Type") == "Number":
                continue
            if parameter.get("Type") == "String" and not (
                    {"AllowedPattern", "AllowedValues"} & set(parameter)):
                yield line_of(parameter), f"{each} goes into user data in any form", \
                    "an AllowedPattern"

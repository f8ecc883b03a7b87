"""The command line of tools/check-templates."""

import argparse
import json
import sys

import yaml

from . import rules, schema
from .template import Finding, Template


def check(text, name="template"):
    """All findings of a template, in the order of its lines."""
    try:
        template = Template(text, name)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [Finding("yaml", line, error.problem, "mend it first")]
    except yaml.YAMLError as error:
        return [Finding("yaml", 1, str(error), "mend it first")]
    findings = list(schema.check(template))
    findings += [Finding(*each) for each in rules.check(template)]
    return sorted(findings, key=lambda each: (each.line, each.rule))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="check-templates",
        description="Checks CloudFormation templates: types, properties, what is required and "
                    "permitted by AWS's schema, and what no schema knows.",
        epilog="example: tools/check-templates deploy/cloudformation/*.yaml")
    parser.add_argument("files", metavar="FILE", nargs="*")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--rules", action="store_true", help="list the rules")
    options = parser.parse_args(arguments)
    if options.rules:
        for rule in rules.ALL:
            print(rules.name_of(rule))
        return 0
    if not options.files:
        parser.print_usage(sys.stderr)
        return 2
    found = {}
    for file in options.files:
        try:
            with open(file, encoding="utf-8") as opened:
                found[file] = check(opened.read(), file)
        except OSError as error:
            print(f"check-templates: {file}: {error.strerror}", file=sys.stderr)
            return 1
    if options.format == "json":
        print(json.dumps([{"file": file, **vars(each)} for file, findings in found.items()
                          for each in findings], indent=2))
    else:
        for file, findings in found.items():
            for each in findings:
                print(f"{file}:{each.line}: {each.rule}: {each.message}; {each.fix}")
    total = sum(map(len, found.values()))
    if options.format == "text" and not total:
        print(f"fine: {len(found)} template{'s' * (len(found) != 1)}, {len(rules.ALL)} rules")
    return 1 if total else 0

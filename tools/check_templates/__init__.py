"""Checks of CloudFormation templates: what the schema says, and what no schema can."""

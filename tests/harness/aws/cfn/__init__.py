"""CloudFormation from the inside: templates, their functions, the resource types, and the engine
that brings stacks up and down."""

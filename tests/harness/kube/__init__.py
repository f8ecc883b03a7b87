"""What Kubernetes would say of manifests, without a Kubernetes: whether they have the shape of its
types (shapes), and whether they mean what they should (meaning, corefile). And an API server
of the tests' own (cluster), which programs talk to."""

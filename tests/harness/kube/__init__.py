"""What Kubernetes would say of manifests, without a Kubernetes: whether they have the shape of its
types (shapes), and whether they mean what they should (meaning, corefile)."""

// The policy document as a type of the Kubernetes API: its CustomResourceDefinition, made of the
// same description as the parser and the JSON Schema, so that they cannot differ.
#pragma once

#include <cstdint>
#include <string>

namespace ebbgate::config {

enum class ResourceScope : std::uint8_t {
  kCluster,     // ClusterEgressPolicy: every key
  kNamespaced,  // EgressPolicy: what a namespace may say (semantics 11)
};

// In YAML; apiextensions.k8s.io/v1 with a structural schema.
[[nodiscard]] std::string custom_resource_definition(ResourceScope scope);

}  // namespace ebbgate::config

// The CloudFormation templates of deploy/cloudformation, compiled in: their text, and what the
// driver has to know of them. It reads the form that those files have (two blanks of indentation,
// one key a line), not YAML at large: that is CloudFormation's work.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ebbgate::deploy {

struct TemplateParameter {
  std::string name;
  std::string type;  // String, Number, CommaDelimitedList, …
  std::optional<std::string> fallback;
  std::vector<std::string> allowed;  // empty: any
};

struct TemplateResource {
  std::string name;  // the logical id
  std::string type;
  bool is_retained = false;     // by its deletion policy
  bool is_conditional = false;  // made only under a condition
};

struct Template {
  std::string name;  // `vpc`
  std::string text;
  std::vector<TemplateParameter> parameters;
  std::vector<TemplateResource> resources;
  std::vector<std::string> outputs;

  [[nodiscard]] const TemplateParameter* parameter(std::string_view of) const;
};

[[nodiscard]] Template read_template(std::string name, std::string text);

// Those that come with the program, by name.
[[nodiscard]] const std::vector<Template>& builtin_templates();

// The same names, from the files NAME.yaml of a folder.
[[nodiscard]] Result<std::vector<Template>> load_templates(const std::string& folder);

// Null: there is none of that name.
[[nodiscard]] const Template* find_template(std::span<const Template> templates,
                                            std::string_view name);

}  // namespace ebbgate::deploy

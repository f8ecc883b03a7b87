// fuzz-deps: deploy config policy base
// eks.yaml: any text is either refused with what is wrong, or makes a plan whose every parameter is
// one of the template's, within its allowed values, and whose script is made.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "config/eks.h"
#include "deploy/check.h"
#include "deploy/plan.h"
#include "deploy/script.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ebbgate;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const config::LoadedEks loaded = config::parse_eks(text, "eks.yaml");
  for (const auto& problem : loaded.problems) require(!problem.message.empty());
  if (policy::has_errors(loaded.problems)) return 0;
  const auto no_files = [](const std::string&) {
    return std::expected<std::string, std::string>(std::unexpect, "it is not there");
  };
  const deploy::Checked checked = deploy::check(loaded.settings, no_files);
  if (policy::has_errors(checked.problems)) return 0;
  const deploy::Plan plan = deploy::make_plan(loaded.settings, checked.allowlist);
  for (const deploy::Step& step : plan.steps) {
    const deploy::Template* found = deploy::find_template(deploy::builtin_templates(), step.id);
    require(found != nullptr);
    for (const deploy::Argument& argument : step.arguments) {
      const deploy::TemplateParameter* parameter = found->parameter(argument.name);
      require(parameter != nullptr);
      const auto* value = std::get_if<std::string>(&argument.source);
      if (value == nullptr || parameter->allowed.empty()) continue;
      require(std::ranges::find(parameter->allowed, *value) != parameter->allowed.end());
    }
  }
  require(!deploy::bastion_script(plan, loaded.settings).empty());
  return 0;
}

// The plan as a shell script of aws and kubectl commands, for those who must run them by hand or
// have them reviewed. Plan in, text out (POSIX sh, without a warning of shellcheck).
#pragma once

#include <string>
#include <string_view>

#include "config/eks.h"
#include "deploy/plan.h"

namespace ebbgate::deploy {

[[nodiscard]] std::string bastion_script(const Plan& plan, const config::EksSettings& settings);

// What kubectl has to do once the stacks stand, by the files that apply has written.
[[nodiscard]] std::string kubectl_commands(const config::EksSettings& settings,
                                           const std::string& folder);

// Whether the CNI needs the proxy: it does without the endpoints that it would use.
[[nodiscard]] bool needs_proxy_in_cni(const config::EksSettings& settings);

// The text as one word of the shell.
[[nodiscard]] std::string shell_quoted(std::string_view text);

}  // namespace ebbgate::deploy

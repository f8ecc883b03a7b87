// The answers of one cluster on the command line, as `ebbgate kube manifests`, `plan` and `apply`
// take them: flags in, what the manifests are rendered from out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/own_flags.h"
#include "config/arguments.h"
#include "deploy/kube/manifests.h"

namespace ebbgate::app {

struct KubeOrder {
  deploy::KubeAnswers answers;
  std::vector<std::string> policies;
  std::vector<std::string> parts;
};

// `order` outlives them.
[[nodiscard]] std::vector<OwnFlag> kube_answer_flags(KubeOrder& order);
[[nodiscard]] OwnFlag text_flag(std::string_view name, std::string& text);

struct KubeWords {
  std::vector<std::string> operands;
  bool help = false;
  int code = 0;  // kUsage where something is wrong with the flags, which is told
};
// Splits the words, and hands each flag to its taker.
[[nodiscard]] KubeWords read_kube_words(std::span<const char* const> words,
                                        std::span<const OwnFlag> flags);

// Says what is wrong with a command line. Out: kUsage.
[[nodiscard]] int refuse_kube(std::string_view message);

// A --part that there is not; empty: all are known.
[[nodiscard]] std::string unknown_part(const KubeOrder& order);
// The names that the policies of --policy allow, or delegate; false where they are invalid, which
// is told.
[[nodiscard]] bool take_policy_names(KubeOrder& order);

}  // namespace ebbgate::app

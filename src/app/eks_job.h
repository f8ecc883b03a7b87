// What the subcommands of `ebbgate eks` have in common: their flags, the file, the plan.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/aws_session.h"
#include "aws/sts.h"
#include "base/clock.h"
#include "config/eks.h"
#include "deploy/plan.h"
#include "deploy/template.h"

namespace ebbgate::app {

struct EksOptions {
  std::string config = "eks.yaml";
  std::string region;  // instead of the file's
  std::string profile;
  std::string ca_file;
  std::string templates;  // a folder; empty: those that come with the program
  std::string output;     // where apply writes its files; empty: NAME beside the file
  std::string write_templates;
  std::string cluster;  // of `token`
  std::string allowed;
  std::string refused;
  std::string echo;
  std::string kubeconfig;
  std::string proxy;
  std::vector<std::string> skip;
  bool json = false;
  bool yes = false;
  bool offline = false;
  bool script = false;
  Duration poll = std::chrono::seconds(5);
  Duration call_timeout = std::chrono::seconds(10);
  Duration timeout = std::chrono::hours(1);  // of one stack
  Duration wait = std::chrono::minutes(6);   // for the alarm
};

struct EksJob {
  EksOptions options;
  config::EksSettings settings;
  std::string allowlist;
  std::vector<deploy::Template> templates;
  deploy::Plan plan;
  std::vector<config::Problem> warnings;
};

[[nodiscard]] AwsSessionOptions session_options(const EksOptions& options,
                                                const std::string& region);

// The folder for the files of apply.
[[nodiscard]] std::string output_folder(const EksJob& job);

// `next: …` on standard error.
void say_next(const std::string& next);
// `ebbgate eks: …` on standard error.
void say(const std::string& message);

// The subcommands. Out: the exit code.
[[nodiscard]] int plan_eks(const EksJob& job);
[[nodiscard]] int apply_eks(const EksJob& job);
[[nodiscard]] int destroy_eks(const EksJob& job);
[[nodiscard]] int verify_eks(const EksJob& job);
[[nodiscard]] int print_eks_token(const EksOptions& options);

}  // namespace ebbgate::app

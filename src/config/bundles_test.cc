// The files of bundles/: each is read without a problem, and has what somebody needs to know of it.
#include "config/bundles.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "config/settings.h"

namespace ebbgate::config {
namespace {

std::string text_of(const char* host) {
  return "name: x\nversion: 2026-01-01\nverified: 2026-01-01\nsummary: s\nrisk: r\n"
         "sources: [https://x.example]\nparameters: [{name: region, doc: d, example: eu}]\n"
         "hosts: [{host: \"" +
         std::string(host) + "\"}]\n";
}

TEST(Bundles, AreTheFilesOfTheFolderAndEachIsRead) {
  std::set<std::string> names;
  const std::string folder = std::string(EBBGATE_SOURCE_DIR) + "/bundles";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const auto bundle = parse_bundle(read_file(file.path()).value(), file.path().filename());
    ASSERT_TRUE(bundle) << str(bundle.error());
    EXPECT_EQ(bundle->name + ".yaml", file.path().filename())
        << "a bundle has the name of its file";
    const policy::Bundle* built_in = policy::find_bundle(builtin_bundles(), bundle->name);
    ASSERT_NE(built_in, nullptr);
    EXPECT_EQ(*bundle, *built_in) << "build again: CMake reads the files";
    names.insert(bundle->name);
  }
  EXPECT_EQ(names.size(), builtin_bundles().size());
  for (const char* name :
       {"eks-node", "eks-addons", "ecr", "ecr-public", "docker-hub", "quay", "ghcr", "github",
        "kubernetes-registry", "aws-sso", "al2023", "bottlerocket", "ubuntu"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Bundles, OfARegistryOthersMayWriteToHaveNoWideNameButPrivateRegistries) {
  for (const policy::Bundle& bundle : builtin_bundles()) {
    for (const policy::BundleHost& host : bundle.hosts) {
      const bool is_wide = host.host.starts_with('.') || host.host.starts_with('*');
      EXPECT_EQ(is_wide, host.host == "*.dkr.ecr.{region}.amazonaws.com:443") << host.host;
    }
  }
}

TEST(Bundles, AreRefusedWhereTheyWouldNotExpand) {
  EXPECT_TRUE(parse_bundle(text_of("a.{region}.example:443"), "x"));
  for (const char* host :
       {"a.example:443", "a.{region}.example", "a.{account}.{region}.example:443",
        "a.{region}..example:443", "https://{region}.example"}) {
    EXPECT_FALSE(parse_bundle(text_of(host), "x")) << host;
  }
}

TEST(Bundles, HaveANameNearAMistypedOne) {
  EXPECT_EQ(nearest_bundle("dockerhub"), "docker-hub");
  EXPECT_EQ(nearest_bundle("nothing-like-it"), "");
}

}  // namespace
}  // namespace ebbgate::config

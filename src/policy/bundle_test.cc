#include "policy/bundle.h"

#include <gtest/gtest.h>

namespace ebbgate::policy {
namespace {

Bundle registry() {
  return {.name = "registry",
          .version = {},
          .verified = {},
          .summary = {},
          .risk = {},
          .caveat = {},
          .sources = {},
          .parameters = {{.name = "region", .doc = {}, .example = "eu-west-2"},
                         {.name = "account", .doc = {}, .example = "1", .is_optional = true}},
          .hosts = {{.host = "api.{region}.example:443", .since = "2026-05"},
                    {.host = "{account}.dkr.{region}.example:443"},
                    {.host = ".dkr.{region}.example:443", .unless = "account"},
                    {.host = "prod-{region}-layers.s3.{region}.example:443", .is_unsure = true},
                    {.host = "old.example:80", .until = "2026-05"}}};
}

std::vector<std::string> texts(const BundleArguments& arguments,
                               BundlePorts ports = BundlePorts::kOwn) {
  const Bundle bundle = registry();
  const auto expanded = expand(bundle, arguments, ports);
  if (!expanded) return {expanded.error().message};
  std::vector<std::string> out;
  for (const ExpandedHost& host : *expanded) out.push_back(host.pattern.str());
  return out;
}

TEST(Bundle, BecomesPatternsWithItsParametersFilledIn) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(texts({{"region", "eu"}}),
            (Texts{"api.eu.example:443", ".dkr.eu.example:443", "prod-eu-layers.s3.eu.example:443",
                   "old.example:80"}));
  EXPECT_EQ(
      texts({{"region", "eu"}, {"account", "7"}}, BundlePorts::kNone),
      (Texts{"api.eu.example", "7.dkr.eu.example", "prod-eu-layers.s3.eu.example", "old.example"}));
  EXPECT_EQ(texts({}), Texts{"the bundle registry needs the parameter region"});
  EXPECT_EQ(texts({{"region", "eu"}, {"zone", "a"}}),
            Texts{"the bundle registry has no parameter of that name"});
  EXPECT_EQ(texts({{"region", "eu"}, {"region", "us"}}),
            Texts{"the parameter region is given twice"});
  for (const char* value : {"", "a.b", "*", "A", "a:80", "{region}"}) {
    EXPECT_EQ(texts({{"region", value}}), Texts{"the value of region cannot stand in a host name"})
        << value;
  }
}

TEST(Bundle, IsFoundByAHostWhateverItsParameters) {
  const std::vector<Bundle> bundles = {registry()};
  const auto ask = [&](std::string_view name, std::uint32_t port) {
    const auto found = bundles_with(bundles, *Host::parse(name), *Port::of(port));
    return found.empty() ? "" : describe(found.front());
  };
  EXPECT_EQ(ask("api.eu-west-2.example", 443),
            "the bundle registry with region eu-west-2 has it since 2026-05");
  EXPECT_EQ(ask("7.dkr.eu.example", 443), "the bundle registry with region eu, account 7 has it");
  EXPECT_EQ(ask("a.b.dkr.eu.example", 443), "the bundle registry with region eu has it");
  EXPECT_EQ(ask("prod-eu-layers.s3.eu.example", 443),
            "the bundle registry with region eu has it, though unsure");
  EXPECT_EQ(ask("old.example", 80), "the bundle registry had it until 2026-05");
  for (const char* other : {"api.example", "x.api.eu.example", "prod-eu-layers.s3.us.example",
                            "prod--layers.s3.eu.example", "example", "203.0.113.1"}) {
    EXPECT_EQ(ask(other, 443), "") << other;
  }
  EXPECT_EQ(ask("api.eu.example", 80), "");
}

}  // namespace
}  // namespace ebbgate::policy

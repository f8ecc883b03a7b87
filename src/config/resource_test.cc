// A resource of the Kubernetes API as a text for the parser, and the way back to its fields.
#include "config/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/document_yaml.h"

namespace ebbgate::config {
namespace {

using ::testing::HasSubstr;

const ResourceId kShop{.kind = "EgressPolicy", .in_namespace = "shop", .name = "checkout"};

std::string spec(const std::string& text) {
  return R"({"apiVersion":"ebbgate.dev/v1alpha1","spec":)" + text + "}";
}

std::vector<ResourceProblem> problems_of(const std::string& json) {
  const auto resource = ResourceText::read(json, kShop);
  if (!resource) return {{.message = resource.error()}};
  return resource->located(
      parse_documents(resource->text(), kShop.str(), {.are_resources = true}).problems);
}

TEST(ResourceId, IsWrittenAsKindNamespaceAndName) {
  EXPECT_EQ(kShop.str(), "EgressPolicy shop/checkout");
  EXPECT_EQ((ResourceId{.kind = "ClusterEgressPolicy", .name = "base"}.str()),
            "ClusterEgressPolicy base");
}

TEST(ResourceText, LeadsFromAProblemToItsField) {
  struct Case {
    const char* spec;
    const char* where;
  };
  const Case cases[] = {
      {R"({"allow":[{"hosts":["a.test","*b.test"]}]})", "spec.allow[0].hosts[1]"},
      {R"({"deny":[{"hosts":["a.test"]},{"hosts":["b.test"],"ports":[1,99999]}]})",
       "spec.deny[1].ports[1]"},
      {R"({"allow":[{"hosts":["a.test"],"porst":[1]}]})", "spec.allow[0].porst"},
      {R"({"allow":[]})", "spec.allow"},
      {R"({"mode":"report","allow":[{"hosts":["a.test"]}]})", "spec.mode"},
      {R"({})", "spec"},
      {R"({"allow":[{"hosts":["a.test"]}],"a\nb\u001b":{"x":[]}})", "spec.a%0Ab%1B"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.spec);
    const auto problems = problems_of(spec(each.spec));
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].where, each.where);
    EXPECT_EQ(problems[0].str(),
              problems[0].where + ": " + problems[0].message + "; " + problems[0].fix);
  }
}

TEST(ResourceText, IsTheSameForResourcesThatSayTheSame) {
  const std::string spec_text = R"("spec":{"allow":[{"hosts":["a.test"],"owner":"x"}]})";
  const auto read = [&](const std::string& metadata, const std::string& rest) {
    return ResourceText::read(R"({"apiVersion":"ebbgate.dev/v1alpha1","metadata":{)" + metadata +
                                  "}," + rest + "}",
                              kShop)
        ->text();
  };
  const std::string one = read(R"("name":"checkout","namespace":"shop")", spec_text);
  EXPECT_EQ(one, read(R"("name":"checkout","uid":"1","managedFields":[{"manager":"kubectl"}])",
                      spec_text + R"(,"kind":"EgressPolicy","status":{"allow":1})"));
  EXPECT_EQ(one, read("", R"("spec":{"allow":[{"owner":"x","hosts":["a.test"]}]},"status":null)"));
  EXPECT_NE(one, read("", R"("spec":{"allow":[{"owner":"y","hosts":["a.test"]}]})"));
}

TEST(ResourceText, RefusesWhatIsNoObject) {
  const auto error = [](const std::string& json) { return ResourceText::read(json, {}).error(); };
  EXPECT_EQ(error(""), "it is no JSON");
  EXPECT_EQ(error(R"({"spec":)"), "it is no JSON");
  EXPECT_EQ(error("[1]"), "it is no JSON object");
  EXPECT_EQ(error(R"({"spec":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}"),
            "it is nested too deep");
}

TEST(ResourceText, ShowsAForeignVersionAtItsField) {
  const auto problems = problems_of(R"({"apiVersion":"ebbgate.dev/v9","kind":"EgressPolicy"})");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].where, "apiVersion");
  EXPECT_THAT(problems[0].message, HasSubstr("ebbgate.dev/v9"));
}

}  // namespace
}  // namespace ebbgate::config

#include "aws/profile.h"

#include <gtest/gtest.h>

#include "aws/testing.h"

namespace ebbgate::aws {
namespace {

constexpr const char* kConfig = R"(# of everybody
[default]
region = eu-west-2
output=json

[profile ci]
Region = us-east-1   # where the builders are
s3 =
  addressing_style = path
role_name = a;b
[sso-session ci]
region = nowhere
[services ci]
region = nowhere
)";

TEST(Profile, IsFoundUnderTheNameOfTheFilesForm) {
  const auto ci = parse_profile(kConfig, ProfileFile::kConfig, "ci");
  ASSERT_TRUE(ci);
  EXPECT_EQ(*ci, (Profile{{"region", "us-east-1"}, {"s3", ""}, {"role_name", "a;b"}}));
  EXPECT_EQ(parse_profile(kConfig, ProfileFile::kConfig, "default")->at("region"), "eu-west-2");
  EXPECT_TRUE(parse_profile(kConfig, ProfileFile::kConfig, "other")->empty());
  EXPECT_EQ(parse_profile("[ci]\nregion=x\n", ProfileFile::kCredentials, "ci")->at("region"), "x");
  EXPECT_TRUE(parse_profile("[ci]\nregion=x\n", ProfileFile::kConfig, "ci")->empty());
  EXPECT_EQ(
      parse_profile("[default]\r\nregion = x\r\n", ProfileFile::kConfig, "default")->at("region"),
      "x");
  EXPECT_TRUE(parse_profile("", ProfileFile::kConfig, "default")->empty());
}

TEST(Profile, SaysWhichLineIsWrongButNotWhatItHolds) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"[default]\naws_secret_access_key SEKRET\n", "line 2"},
      {"[default\n", "line 1"},
      {"region = x\n", "line 1"},
      {"\n  region = x\n", "line 2"},
      {"[default]\n= SEKRET\n", "line 2"},
  };
  for (const auto& [text, line] : rows) {
    const auto parsed = parse_profile(text, ProfileFile::kConfig, "default");
    ASSERT_FALSE(parsed) << text;
    EXPECT_TRUE(parsed.error().message.contains(line)) << parsed.error().message;
    EXPECT_FALSE(parsed.error().message.contains("SEKRET"));
  }
  EXPECT_FALSE(parse_profile(std::string((1 << 20) + 1, '\n'), ProfileFile::kConfig, "default"));
}

TEST(Profile, TheRegionOfACommandIsTheNearestWord) {
  testing::World world;
  world.variables["HOME"] = "/home/me";
  world.files["/home/me/.aws/config"] = kConfig;
  EXPECT_EQ(region_for_command(world.context, "", ""), "eu-west-2");
  EXPECT_EQ(region_for_command(world.context, "", "ci"), "us-east-1");
  world.variables["AWS_PROFILE"] = "ci";
  EXPECT_EQ(region_for_command(world.context, "", ""), "us-east-1");
  world.variables["AWS_DEFAULT_REGION"] = "ap-south-1";
  EXPECT_EQ(region_for_command(world.context, "", ""), "ap-south-1");
  world.variables["AWS_REGION"] = "eu-north-1";
  EXPECT_EQ(region_for_command(world.context, "", ""), "eu-north-1");
  EXPECT_EQ(region_for_command(world.context, "sa-east-1", ""), "sa-east-1");

  testing::World bare;
  EXPECT_EQ(region_for_command(bare.context, "", ""), "");
}

TEST(Profile, TheCredentialsFileGoesBeforeTheOther) {
  testing::World world;
  world.variables = {{"AWS_CONFIG_FILE", "/c"}, {"AWS_SHARED_CREDENTIALS_FILE", "/s"}};
  world.files = {{"/c", "[default]\nregion=r\naws_access_key_id=OLD\n"},
                 {"/s", "[default]\naws_access_key_id=NEW\n"}};
  const auto profile = read_profile(world.context, "");
  ASSERT_TRUE(profile);
  EXPECT_EQ(*profile, (Profile{{"region", "r"}, {"aws_access_key_id", "NEW"}}));
  world.files["/s"] = "[default\n";
  const auto broken = read_profile(world.context, "");
  ASSERT_FALSE(broken);
  EXPECT_TRUE(broken.error().message.contains("/s: line 1")) << broken.error().message;
}

}  // namespace
}  // namespace ebbgate::aws

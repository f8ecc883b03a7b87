#include "base/base64.h"

#include <gtest/gtest.h>

namespace ebbgate {
namespace {

TEST(Base64, KeepsToTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff", "+/8="},
  };
  for (const auto& [octets, text] : cases) {
    EXPECT_EQ(base64_encoded(octets), text);
    EXPECT_EQ(base64_decoded(text), octets) << text;
    EXPECT_EQ(base64_decoded(std::string(text) + "\r\n"), octets) << text;
  }
}

TEST(Base64, RefusesWhatHasAnotherText) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "=", "Zm\n9v",
                           "-_8=", " Zg==", "Zm9v!"}) {
    EXPECT_EQ(base64_decoded(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ebbgate

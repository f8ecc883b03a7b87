#include "http/field.h"

#include <gtest/gtest.h>

#include <string>

#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

TEST(FieldId, IsTheSameInEveryCaseAndOfNoOtherName) {
  const std::pair<std::string_view, FieldId> known[] = {
      {"Accept", FieldId::kAccept},
      {"Authorization", FieldId::kAuthorization},
      {"Connection", FieldId::kConnection},
      {"Content-Length", FieldId::kContentLength},
      {"Cookie", FieldId::kCookie},
      {"Expect", FieldId::kExpect},
      {"Host", FieldId::kHost},
      {"Keep-Alive", FieldId::kKeepAlive},
      {"Max-Forwards", FieldId::kMaxForwards},
      {"Proxy-Authenticate", FieldId::kProxyAuthenticate},
      {"Proxy-Authentication-Info", FieldId::kProxyAuthenticationInfo},
      {"Proxy-Authorization", FieldId::kProxyAuthorization},
      {"Proxy-Connection", FieldId::kProxyConnection},
      {"TE", FieldId::kTe},
      {"Trailer", FieldId::kTrailer},
      {"Transfer-Encoding", FieldId::kTransferEncoding},
      {"Upgrade", FieldId::kUpgrade},
      {"Via", FieldId::kVia},
      {"WWW-Authenticate", FieldId::kWwwAuthenticate},
  };
  for (const auto& [name, id] : known) {
    std::string upper(name);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(field_id(name), id) << name;
    EXPECT_EQ(field_id(upper), id) << upper;
    std::string other(name);
    other.back() = '_';
    EXPECT_EQ(field_id(other), FieldId::kOther) << other;
    other.front() = '\0';
    EXPECT_EQ(field_id(other), FieldId::kOther) << other;
  }
  // '-' and CR differ in the one bit that folds letters.
  EXPECT_EQ(field_id("Content\rLength"), FieldId::kOther);
}

TEST(FieldLine, IsANameAndATrimmedValue) {
  const auto field = parse_field_line("X-Y!#$%&'*+.^_`|~:\t a \tb\xff  ", kClientsFault);
  ASSERT_TRUE(field);
  EXPECT_EQ(field->name, "X-Y!#$%&'*+.^_`|~");
  EXPECT_EQ(field->value, "a \tb\xff");
  EXPECT_EQ(parse_field_line("A:", kClientsFault)->value, "");
  EXPECT_EQ(parse_field_line("A: :b:", kClientsFault)->value, ":b:");
}

TEST(FieldLine, BlamesWhoSentIt) {
  const auto refused = parse_field_line("A : b", kOriginsFault);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kOriginInvalid);
  EXPECT_EQ(refused.error().side, Side::kOrigin);
}

TEST(HasControl, FindsEveryControlCharacterAtEveryPlace) {
  for (std::size_t size = 1; size <= 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        for (const char filler : {'a', '\t', ' ', '\xff', '\x80', '~'}) {
          std::string text(size, filler);
          text[at] = static_cast<char>(octet);
          const bool control = (octet < 0x20 && octet != '\t') || octet == 0x7f;
          ASSERT_EQ(detail::has_control(text), control) << octet << " at " << at << " of " << size;
        }
      }
    }
  }
  EXPECT_FALSE(detail::has_control(""));
}

TEST(Decimal, IsDigitsUpToTheLargestSignedNumber) {
  EXPECT_EQ(detail::parse_decimal("0"), 0u);
  EXPECT_EQ(detail::parse_decimal("0009"), 9u);
  EXPECT_EQ(detail::parse_decimal("9223372036854775807"), 9223372036854775807u);
  for (const std::string_view bad : {"", "+1", "-1", " 1", "1 ", "1_0", "a", "9223372036854775808",
                                     "18446744073709551616", "100000000000000000000000000000000"}) {
    EXPECT_FALSE(detail::parse_decimal(bad)) << bad;
  }
}

TEST(List, HasElementsBetweenCommas) {
  std::string_view list = " , a,b c ,,\td\t,";
  EXPECT_EQ(detail::next_element(list), "a");
  EXPECT_EQ(detail::next_element(list), "b c");
  EXPECT_EQ(detail::next_element(list), "d");
  EXPECT_EQ(detail::next_element(list), std::nullopt);
}

}  // namespace
}  // namespace ebbgate::http

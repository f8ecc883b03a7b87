#include "hello/client_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <vector>

#include "base/escape.h"

namespace ebbgate::hello {
namespace {

using Outcome = Result<std::optional<ClientHello>>;

// ---- Making ClientHellos

std::string number(std::size_t value, int octets) {
  std::string bytes;
  while (octets-- > 0) bytes += static_cast<char>(value >> (8 * octets) & 0xff);
  return bytes;
}
std::string vector8(const std::string& content) {
  return number(content.size(), 1) + content;
}
std::string vector16(const std::string& content) {
  return number(content.size(), 2) + content;
}
std::string extension(std::size_t type, const std::string& content) {
  return number(type, 2) + vector16(content);
}
std::string host_name(const std::string& name) {
  return std::string(1, '\0') + vector16(name);
}
std::string server_name(const std::string& names) {
  return extension(0, vector16(names));
}
std::string sni(const std::string& name) {
  return server_name(host_name(name));
}
std::string ech_outer() {
  return extension(0xfe0d, std::string(1, '\0') + number(1, 2) + number(1, 2) + "c" +
                               vector16(std::string(32, 'e')) + vector16(std::string(144, 'p')));
}
std::string post_quantum_key_share() {  // X25519MLKEM768 and X25519
  return extension(51, vector16(number(0x11ec, 2) + vector16(std::string(1216, 'k')) +
                                number(29, 2) + vector16(std::string(32, 'x'))));
}

std::string message_of(const std::string& body) {
  return "\x01" + number(body.size(), 3) + body;
}
std::string fields() {
  return "\x03\x03" + std::string(32, 'r') + vector8(std::string(32, 's')) +
         vector16("\x13\x01\x13\x02") + vector8(std::string(1, '\0'));
}
std::string message(const std::string& extensions) {
  return message_of(fields() + vector16(extensions));
}
std::string records(const std::string& message, std::size_t size = 16384) {
  std::string out;
  for (std::size_t i = 0; i < message.size(); i += size) {
    out += "\x16\x03\x01" + vector16(message.substr(i, size));
  }
  return out;
}
std::string hello(const std::string& extensions) {
  return records(message(extensions));
}

std::string recorded(const std::string& name) {
  std::ifstream file(CLIENT_HELLO_CORPUS + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

Outcome read_whole(std::string_view bytes) {
  return ClientHelloReader().read(bytes);
}

// ---- What is read

TEST(ClientHello, OfRealClientsIsRead) {
  struct Row {
    std::string file;
    std::optional<std::string> sni;
    bool ech = false;
  };
  const std::vector<Row> rows = {
      {"curl-7.88-openssl-3.0", "example.com"},
      {"openssl-tls13", "example.com"},
      {"openssl-tls12", "example.com"},
      {"openssl-no-sni", std::nullopt},
      {"python-3.11", "example.com"},
      {"node-20", "example.com"},
      {"java-17", "example.com"},
      {"wget-1.21-gnutls-3.7", "localhost"},
      {"git-2.39-gnutls-3.7", "example.com"},
      {"post-quantum", "example.com"},
      {"several-records", "example.com"},
      {"one-octet-records", "example.com"},
      {"padded-to-64-kib", "example.com"},
      {"no-extensions", std::nullopt},
      {"post-quantum-ech-grease", "example.com", true},
  };
  for (const Row& row : rows) {
    const Outcome outcome = read_whole(recorded(row.file));
    ASSERT_TRUE(outcome && outcome->has_value()) << row.file;
    const ClientHello& read = **outcome;
    EXPECT_EQ(read.sni ? std::optional(read.sni->str()) : std::nullopt, row.sni) << row.file;
    EXPECT_EQ(read.ech, row.ech) << row.file;
  }
}

TEST(ClientHello, IsReadInAnyPieces) {
  const std::string large = message(sni("Example.COM.") + post_quantum_key_share() + ech_outer());
  for (const std::size_t record : {1U, 2U, 3U, 4U, 5U, 100U, 1400U, 16384U}) {
    const std::string bytes = records(large, record);
    for (const std::size_t step : {1U, 2U, 3U, 7U, 536U, 1460U}) {
      ClientHelloReader reader;
      for (std::size_t size = 0; size < bytes.size(); size += step) {
        const Outcome early = reader.read(std::string_view(bytes).substr(0, size));
        ASSERT_TRUE(early && !early->has_value()) << record << ' ' << step << ' ' << size;
      }
      const Outcome outcome = reader.read(bytes);
      ASSERT_TRUE(outcome && outcome->has_value()) << record << ' ' << step;
      EXPECT_EQ(**outcome, (ClientHello{*Hostname::parse("example.com"), true}));
    }
  }
}

TEST(ClientHello, MayBeFollowedByMore) {
  const std::string early_data = "\x14\x03\x03" + vector16("\x01") + "\x17\x03\x03" + vector16("x");
  const Outcome outcome = read_whole(hello(sni("example.com")) + early_data);
  ASSERT_TRUE(outcome && outcome->has_value());
}

TEST(ClientHello, MovesWithItsBufferWhileItIsRead) {
  const std::string bytes = records(message(sni("example.com")), 20);
  ClientHelloReader reader;
  Outcome outcome = std::nullopt;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    outcome = reader.read({exact.data(), exact.size()});
  }
  ASSERT_TRUE(outcome && outcome->has_value());
}

TEST(ClientHello, GoesUpTo64KiB) {
  const std::size_t others = message(sni("example.com") + extension(21, "")).size();
  const auto padded = [&](std::size_t size) {
    return message(sni("example.com") + extension(21, std::string(size - others, '\0')));
  };
  const Outcome largest = read_whole(records(padded(kMaxClientHello)));
  EXPECT_TRUE(largest && largest->has_value());
  const Outcome larger = read_whole(records(message_of(std::string(kMaxClientHello - 3, ' '))));
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().reason, Reason::kSniMalformed);
  const Outcome spread = read_whole(records(padded(kMaxClientHello), 4));
  ASSERT_FALSE(spread);
  EXPECT_THAT(spread.error().detail, testing::HasSubstr("too many records"));
}

// A client that sends single octets must not make the reader look at all of them at each call: one
// that did would need 10^11 steps here, and run into the time limit of the test.
TEST(ClientHello, CostsNoMoreInSingleOctets) {
  const std::string large = message(sni("example.com") + extension(21, std::string(21000, '\0')));
  const std::string bytes = records(large, 1);
  for (int repeat = 0; repeat < 12; ++repeat) {
    ClientHelloReader reader;
    Outcome outcome = std::nullopt;
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
      outcome = reader.read(std::string_view(bytes.data(), size));
    }
    ASSERT_TRUE(outcome && outcome->has_value());
  }
}

TEST(ClientHello, NamesAreFolded) {
  const Outcome outcome = read_whole(hello(sni("WWW.Example.com.")));
  ASSERT_TRUE(outcome && outcome->has_value());
  EXPECT_EQ((*outcome)->sni->str(), "www.example.com");
}

// ---- What is refused

TEST(ClientHello, IsNotTlsFromTheOctetThatShowsIt) {
  for (const std::string_view bytes :
       {std::string_view("G"), std::string_view("SSH-2.0-OpenSSH_9.2\r\n"),
        std::string_view("\0", 1), std::string_view("\x80\x2e\x01\x03\x01", 5),
        std::string_view("\x15\x03\x03\x00\x02", 5), std::string_view("\x17\x03\x03", 3),
        std::string_view("\x16\x02", 2), std::string_view("\x16\xfe\xff", 3)}) {
    const Outcome outcome = read_whole(bytes);
    ASSERT_FALSE(outcome) << escaped(bytes);
    EXPECT_EQ(outcome.error().reason, Reason::kNotTls) << escaped(bytes);
    EXPECT_EQ(outcome.error().side, Side::kClient);
  }
  for (const std::string_view bytes : {"", "\x16", "\x16\x03", "\x16\x03\x01\x40"}) {
    const Outcome outcome = read_whole(bytes);
    EXPECT_TRUE(outcome && !outcome->has_value()) << escaped(bytes);
  }
}

TEST(ClientHello, ThatBreaksTheRulesIsRefusedWithWhatIsWrong) {
  const std::string good = sni("example.com");
  const std::string in_two = records(message(good), 100);
  const std::string alert_between =
      in_two.substr(0, 105) + "\x15\x03\x01" + vector16("\x01\x01") + in_two.substr(105);
  const std::string zero(1, '\0');
  struct Row {
    std::string bytes;
    std::string detail;
  };
  const std::vector<Row> rows = {
      // records
      {"\x16\x03\x01" + number(0, 2), "record is empty"},
      {in_two.substr(0, 105) + "\x16\x03\x01" + number(0, 2), "record is empty"},
      {"\x16\x03\x01" + number(16385, 2), "longer than 2^14"},
      {alert_between, "another type"},
      {in_two.substr(0, 105) + "\x16\x02", "record's version"},
      {records(message(good) + "x"), "octets follow"},
      {records(message(good) + message(good)), "octets follow"},
      {records(message(good) + message(good), 100), "octets follow"},
      // the message
      {records("\x02" + message(good).substr(1)), "without a ClientHello"},
      {"\x16\x03\x01" + number(512, 2) + "\x02", "without a ClientHello"},
      {"\x16\x03\x01" + number(512, 2) + "\x01" + number(0x10000, 3), "longer than 64 KiB"},
      {records(message_of("")), "ends within a field"},
      {records(message_of(fields().substr(0, 40))), "ends within a field"},
      {records(message_of("\x02" + fields().substr(1))), "version"},
      {records(message_of("\x03\x03" + std::string(32, 'r') + vector8(std::string(33, 's')) +
                          vector16("\x13\x01") + vector8(zero))),
       "session id"},
      {records(message_of("\x03\x03" + std::string(32, 'r') + vector8("") + vector16("") +
                          vector8(zero))),
       "cipher suites"},
      {records(message_of("\x03\x03" + std::string(32, 'r') + vector8("") +
                          vector16("\x13\x01\x13") + vector8(zero))),
       "cipher suites"},
      {records(message_of("\x03\x03" + std::string(32, 'r') + vector8("") + vector16("\x13\x01") +
                          vector8(""))),
       "compression"},
      // extensions
      {records(message_of(fields() + number(good.size() + 1, 2) + good)), "do not end"},
      {records(message_of(fields() + number(good.size() - 1, 2) + good)), "do not end"},
      {records(message_of(fields() + zero)), "do not end"},
      {hello(good + number(16, 2) + number(1, 2)), "longer than the ClientHello"},
      {hello(good + "x"), "longer than the ClientHello"},
      {hello(good + good), "twice"},
      {hello(good + extension(21, "") + extension(21, "")), "twice"},
      // server_name
      {hello(extension(0, "")), "do not agree"},
      {hello(server_name("")), "do not agree"},
      {hello(extension(0, vector16(host_name("example.com")) + "x")), "do not agree"},
      {hello(extension(0, number(99, 2) + host_name("example.com"))), "do not agree"},
      {hello(server_name(zero + number(99, 2) + "example.com")), "do not agree"},
      {hello(server_name("\x01" + vector16("example.com"))), "no host_name"},
      {hello(server_name(host_name("example.com") + host_name("example.net"))), "more than one"},
      {hello(server_name(host_name("example.com") + host_name("example.com"))), "more than one"},
      {hello(server_name(host_name("example.com") + "\x01" + vector16("x"))), "more than one"},
      {hello(sni("")), "empty"},
      {hello(sni(".")), "empty"},
      {hello(sni("example..com")), "empty label"},
      {hello(sni("example.com..")), "empty label"},
      {hello(sni(std::string("example.com\0.example.net", 24))), "character"},
      {hello(sni("example.com ")), "character"},
      {hello(sni("*.example.com")), "character"},
      {hello(sni("ex\xc3\xa4mple.com")), "character"},
      {hello(sni("example.com:443")), "character"},
      {hello(sni("203.0.113.7")), "IPv4"},
      {hello(sni("127.1")), "IPv4"},
      {hello(sni("2130706433")), "IPv4"},
      {hello(sni("0x7f.0x1")), "IPv4"},
      {hello(sni("0177.0.0.1.")), "IPv4"},
      {hello(sni("2001:db8::1")), "character"},
      {hello(sni("[2001:db8::1]")), "character"},
      {hello(sni(std::string(64, 'a') + ".example")), "63"},
      {hello(sni([] {
         std::string name;
         while (name.size() < 254) name += "a.";
         return name + "a";
       }())),
       "253"},
      // ECH
      {hello(good + extension(0xfe0d, "")), "encrypted_client_hello"},
      {hello(good + extension(0xfe0d, std::string(5, '\0'))), "encrypted_client_hello"},
      {hello(good + extension(0xfe0d, "\x02")), "encrypted_client_hello"},
      {hello(good + extension(0xfe0d, zero + "kdaec" + vector16("e") + vector16(""))),
       "encrypted_client_hello"},
      {hello(good + extension(0xfe0d, zero + "kdaec" + vector16("e") + vector16("p") + "x")),
       "encrypted_client_hello"},
  };
  for (const Row& row : rows) {
    const Outcome outcome = read_whole(row.bytes);
    ASSERT_FALSE(outcome) << row.detail << ' ' << escaped(row.bytes);
    EXPECT_EQ(outcome.error().reason, Reason::kSniMalformed) << escaped(row.bytes);
    EXPECT_EQ(outcome.error().side, Side::kClient);
    EXPECT_THAT(outcome.error().detail, testing::HasSubstr(row.detail)) << escaped(row.bytes);
  }
}

TEST(ClientHello, WithEchOfTypeInnerOrEsniIsDenied) {
  for (const std::string& bytes :
       {hello(sni("example.com") + extension(0xfe0d, "\x01")), hello(extension(0xffce, "x")),
        recorded("ech-inner"), recorded("esni")}) {
    const Outcome outcome = read_whole(bytes);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().reason, Reason::kEchDenied);
  }
}

}  // namespace
}  // namespace ebbgate::hello

// What the tests of this folder share: Records with every field set, and the tables of docs/.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/escape.h"
#include "observe/record.h"

namespace ebbgate::observe {

inline Record full_record() {
  using namespace std::chrono_literals;
  Record record;
  record.time = WallTime(1785542399007ms);  // 2026-07-31T23:59:59.007Z
  record.id = "0123456789abcdef";
  record.phase = Phase::kClose;
  record.count = 3;
  record.client = *IpAddress::parse("10.64.8.9");
  record.vpc_endpoint = "vpce-0123";
  record.subject = {"pod", "builder-1", "ci"};
  record.user = "ci";
  record.ech = true;
  record.listener = "explicit";
  record.method = "CONNECT";
  record.target = "api.github.com:443";
  record.host = "api.github.com";
  record.port = 443;
  record.sni = "api.github.com";
  record.verdict = Verdict::kAllow;
  record.reason = Reason::kOriginClosed;
  record.policy = "ci-builders";
  record.rule = "api.github.com:443";
  record.policy_version = "v7";
  record.address = IpAddress::parse("203.0.113.7");
  record.bytes_in = 517;
  record.bytes_out = 20111;
  record.status = 200;
  record.duration = 1234ms;
  record.connect = 12ms;
  record.error = "read: Connection reset by peer";
  record.squid_result = SquidResult::kTunnel;
  return record;
}

// A Record whose sixteen texts are these.
inline Record record_of_texts(const std::vector<std::string>& texts) {
  Record record;
  record.id = texts[0];
  record.vpc_endpoint = texts[1];
  record.subject = {texts[2], texts[3], texts[4]};
  record.user = texts[5];
  record.listener = texts[6];
  record.method = texts[7];
  record.target = texts[8];
  record.host = texts[9];
  record.sni = texts[10];
  record.policy = texts[11];
  record.rule = texts[12];
  record.policy_version = texts[13];
  record.error = texts[14];
  record.content_type = texts[15];
  return record;
}

// A refused CONNECT to `host`, which borrows the name.
inline Record refusal_of(std::string_view host) {
  Record record;
  record.client = *IpAddress::parse("10.1.2.3");
  record.method = "CONNECT";
  record.target = host;
  record.host = host;
  record.port = 443;
  record.verdict = Verdict::kDeny;
  record.reason = Reason::kNotAllowed;
  record.status = 403;
  record.squid_result = SquidResult::kDenied;
  return record;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string document(std::string_view name) {
  return read_file(std::filesystem::path(EBBGATE_SOURCE_DIR) / "docs" / name);
}

// The code words of the first column of a page's tables.
inline std::set<std::string> first_column_of(const std::string& page) {
  std::set<std::string> words;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kStart = "| `";
    if (!line.starts_with(kStart)) continue;
    words.insert(line.substr(kStart.size(), line.find('`', kStart.size()) - kStart.size()));
  }
  return words;
}

}  // namespace ebbgate::observe

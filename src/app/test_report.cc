#include "app/test_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/escape.h"

namespace ebbgate::app {
namespace {

// Text for an attribute or an element of XML 1.0: printable ASCII, line feeds, escapes.
std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += c >= ' ' && c <= '~' ? std::string(1, c) : escaped(std::string_view(&c, 1));
    }
  }
  return out;
}

std::string count(std::size_t number) {
  return std::to_string(number);
}

}  // namespace

std::size_t TestReport::failed() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(cases, [](const CaseResult& each) { return !each.failures.empty(); }));
}

std::size_t TestReport::exercised() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries, [](const EntryCoverage& each) { return each.uses > 0; }));
}

std::string tap(const TestReport& report) {
  std::string out = "TAP version 13\n1.." + count(report.cases.size()) + "\n";
  for (std::size_t i = 0; i < report.cases.size(); ++i) {
    const CaseResult& each = report.cases[i];
    std::string name = escaped_prose(each.name);
    std::ranges::replace(name, '#', '-');  // would begin a directive
    out += (each.failures.empty() ? "ok " : "not ok ") + count(i + 1) + " - " + name + "\n";
    if (each.failures.empty()) continue;
    out += "  ---\n  at: " + escaped_prose(each.where) + "\n  failures:\n";
    for (const std::string& failure : each.failures) {
      out += "    - '" + escaped_prose(failure) + "'\n";
    }
    out += "  explanation: |\n";
    for (std::size_t begin = 0; begin < each.explanation.size();) {
      const std::size_t end = std::min(each.explanation.find('\n', begin), each.explanation.size());
      out += "    " + each.explanation.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
    out += "  ...\n";
  }
  if (report.shows_coverage) {
    out += "# coverage: " + count(report.exercised()) + " of " + count(report.entries.size()) +
           " entries decided a case\n";
    for (const EntryCoverage& entry : report.entries) {
      if (entry.uses > 0) continue;
      out += "# never: " + escaped_prose(entry.where) + ": " + escaped_prose(entry.what) + "\n";
    }
  }
  return out;
}

std::string junit(const TestReport& report) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"" +
                    count(report.cases.size()) + "\" failures=\"" + count(report.failed()) +
                    "\">\n";
  for (auto first = report.cases.begin(); first != report.cases.end();) {
    const auto last = std::find_if(first, report.cases.end(), [&](const CaseResult& each) {
      return each.file != first->file;
    });
    const auto failed =
        std::count_if(first, last, [](const CaseResult& each) { return !each.failures.empty(); });
    out += "  <testsuite name=\"" + xml(first->file) + "\" tests=\"" +
           std::to_string(last - first) + "\" failures=\"" + std::to_string(failed) + "\">\n";
    for (; first != last; ++first) {
      out +=
          "    <testcase classname=\"" + xml(first->file) + "\" name=\"" + xml(first->name) + "\"";
      if (first->failures.empty()) {
        out += "/>\n";
        continue;
      }
      out += ">\n      <failure message=\"" + xml(first->failures.front()) + "\">";
      out += xml(first->where + "\n");
      for (const std::string& failure : first->failures) out += xml(failure + "\n");
      out += xml(first->explanation) + "</failure>\n    </testcase>\n";
    }
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

std::string json(const TestReport& report) {
  using Json = nlohmann::ordered_json;
  Json cases = Json::array();
  for (const CaseResult& each : report.cases) {
    Json row{{"name", each.name}, {"at", each.where}, {"ok", each.failures.empty()}};
    if (!each.failures.empty()) {
      row["failures"] = each.failures;
      row["explanation"] = each.explanation;
    }
    cases.push_back(std::move(row));
  }
  Json out{
      {"tests", report.cases.size()}, {"failures", report.failed()}, {"cases", std::move(cases)}};
  if (report.shows_coverage) {
    Json never = Json::array();
    for (const EntryCoverage& entry : report.entries) {
      if (entry.uses == 0) never.push_back({{"at", entry.where}, {"entry", entry.what}});
    }
    out["coverage"] = {{"entries", report.entries.size()},
                       {"exercised", report.exercised()},
                       {"never", std::move(never)}};
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace ebbgate::app

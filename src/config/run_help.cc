// `ebbgate run --help`, laid out from the table of settings.
#include <algorithm>
#include <string>
#include <string_view>

#include "config/detail/setting_table.h"
#include "config/settings.h"

namespace ebbgate::config {
namespace {

constexpr std::size_t kWidth = 88;
constexpr std::size_t kIndent = 34;  // where the explanations begin

constexpr std::string_view kIntroduction =
    R"(usage: ebbgate run [FLAGS]

The gateway: a forward proxy that lets through what its policy allows and refuses the rest.

Examples:
  ebbgate run --allow .amazonaws.com
  ebbgate run --listen 0.0.0.0:3128 --policy /etc/ebbgate/policy --log-format json
  HTTPS_PROXY=http://127.0.0.1:3128 curl https://sts.amazonaws.com/

Each flag is also a key of the YAML file of --config, without the dashes; flags win. Flags
marked * may be repeated, and are lists in the file.
)";

// The words of `text`, in lines that begin at `indent`; the first one is there already.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (column > indent && column + 1 + end > kWidth) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + '\n';
}

std::string paragraph(const std::string& flag, std::string_view text) {
  std::string out = "  " + flag;
  if (out.size() + 2 > kIndent) {
    out += '\n' + std::string(kIndent, ' ');
  } else {
    out.resize(kIndent, ' ');
  }
  return out + wrapped(text, kIndent);
}

}  // namespace

std::string run_help() {
  std::string out(kIntroduction);
  std::string_view group;
  for (const detail::Setting& setting : detail::setting_table()) {
    if (setting.group != group) {
      group = setting.group;
      out += '\n' + std::string(group) + ":\n";
    }
    std::string flag = "--" + std::string(setting.name);
    const std::string value(setting.value);
    if (!value.empty()) flag += setting.implied.empty() ? ' ' + value : " [" + value + "]";
    if (setting.repeat == detail::Repeat::kList) flag += " *";
    std::string text(setting.help);
    if (!setting.value.empty() && setting.fallback != "none") {
      text += " Default: " + std::string(setting.fallback) + ".";
    }
    out += paragraph(flag, text);
  }
  out += "\nOther:\n";
  out += paragraph("--config FILE", "Settings in YAML.");
  out += paragraph("--help", "This text.");
  out += "\nNot in this release:\n";
  std::string later;
  for (const detail::LaterSetting& setting : detail::later_settings()) {
    later += (later.empty() ? "--" : ", --") + std::string(setting.name);
  }
  out += "  " + wrapped(later, 2);
  out +=
      "\nDurations: 250ms, 30s, 5m, 1h. Sizes: 64KiB, 1MiB.\n"
      "Exit codes: 0 fine, 1 failed, 2 usage, 3 invalid configuration.\n";
  return out;
}

}  // namespace ebbgate::config

// The one description of the settings: `run`'s flags, the keys of its file, `--help` and the tests
// of docs/configuration.md all go by this table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace ebbgate::config::detail {

// What somebody wrote for one setting: flags or the file, never both.
struct Given {
  struct Text {
    std::string text;
    policy::Position position;  // in the file
  };
  std::string source;  // `--listen`, or the file
  std::vector<Text> values;
};

using Apply = void (*)(const Given& given, Settings& settings, std::vector<Problem>& problems);

enum class Repeat : std::uint8_t { kOnce, kList };

struct Setting {
  std::string_view group;
  std::string_view name;
  std::string_view value;  // how its value is called in the help; empty for a switch
  Repeat repeat = Repeat::kOnce;
  std::string_view fallback;  // the default, as it would be written or in words
  std::string_view help;
  Apply apply = nullptr;
  std::string_view implied = {};  // what the flag means without its value; empty: it needs one
};

[[nodiscard]] std::span<const Setting> setting_table();

// What a later release will bring, refused by name until then.
struct LaterSetting {
  std::string_view name;
  FlagValue value;
  std::string_view what;
};

[[nodiscard]] std::span<const LaterSetting> later_settings();

[[nodiscard]] const Setting* find_setting(std::string_view name);
[[nodiscard]] const LaterSetting* find_later_setting(std::string_view name);

}  // namespace ebbgate::config::detail

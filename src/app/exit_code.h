// How every subcommand ends.
#pragma once

namespace ebbgate::app {

inline constexpr int kFine = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInvalid = 3;  // configuration or policy

}  // namespace ebbgate::app

// The shared files of the AWS tools (~/.aws/config and ~/.aws/credentials): text in, the settings
// of one profile out. docs.aws.amazon.com/sdkref/latest/guide/file-format.html
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "aws/context.h"
#include "aws/failure.h"

namespace ebbgate::aws {

using Profile = std::map<std::string, std::string, std::less<>>;  // keys in lower case

enum class ProfileFile : std::uint8_t { kConfig, kCredentials };

// The settings under `[profile NAME]` (kConfig; `[default]` for that one) or `[NAME]`
// (kCredentials); empty where the section is missing. Nested settings are skipped.
// Failures: kInvalid with the line's number, for a line that is neither a section, a setting, a
// continuation nor a comment, and for more than 1 MiB. Values are never shown.
[[nodiscard]] Outcome<Profile> parse_profile(std::string_view text, ProfileFile file,
                                             std::string_view name);

// `name`, else AWS_PROFILE, else `default`.
[[nodiscard]] std::string profile_name(const Context& context, std::string_view name);

// Both files together; what the credentials file says goes before the other. AWS_CONFIG_FILE and
// AWS_SHARED_CREDENTIALS_FILE name other files. Files that do not exist are empty.
[[nodiscard]] Outcome<Profile> read_profile(const Context& context, std::string_view name);

// The region, for commands: `flag`, else AWS_REGION, AWS_DEFAULT_REGION, else the profile's; empty
// where nothing says.
[[nodiscard]] Outcome<std::string> region_for_command(const Context& context, std::string_view flag,
                                                      std::string_view profile);

}  // namespace ebbgate::aws

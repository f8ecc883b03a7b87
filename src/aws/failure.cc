#include "aws/failure.h"

#include "base/escape.h"

namespace ebbgate::aws {

std::string Failure::describe(std::string_view what) const {
  std::string text(what);
  if (kind == Kind::kService) text += ": " + escaped_prose(code, 128);
  if (!message.empty()) text += ": " + escaped_prose(message, 512);
  if (!request_id.empty()) text += " (request " + escaped(request_id, 128) + ")";
  return text;
}

Error Failure::to_error(std::string_view what) const {
  Reason why = reason;
  if (kind == Kind::kUnreadable) why = Reason::kOriginInvalid;
  if (kind == Kind::kService) why = Reason::kOriginInvalid;
  const bool is_ours = kind == Kind::kInvalid || kind == Kind::kCredentials;
  return {why, is_ours ? Side::kSelf : Side::kOrigin, describe(what)};
}

}  // namespace ebbgate::aws

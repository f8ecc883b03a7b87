#include "aws/ssm.h"

#include "aws/detail/call.h"

namespace ebbgate::aws::ssm {
namespace {

using detail::Json;

[[nodiscard]] std::optional<Parameter> read_parameter(const Json& json) {
  const Json* parameter = detail::at(json, "Parameter");
  if (parameter == nullptr) return std::nullopt;
  const Json* value = detail::at(*parameter, "Value");
  const std::optional<std::int64_t> version = detail::integer_at(*parameter, "Version");
  if (value == nullptr || !value->is_string() || !version) return std::nullopt;
  return Parameter{detail::text_at(*parameter, "Name"), detail::text_at(*parameter, "ARN"),
                   detail::text_at(*parameter, "Type"), value->get<std::string>(), *version};
}

[[nodiscard]] std::optional<std::int64_t> read_version(const Json& json) {
  return detail::integer_at(json, "Version");
}

}  // namespace

net::Task<Outcome<Parameter>> get_parameter(Client& client, std::string name, Deadline deadline) {
  const Json body = {{"Name", name}, {"WithDecryption", true}};
  return detail::fetch<Parameter>(client, detail::json_call(Service::kSsm, "GetParameter", body),
                                  deadline, detail::reading_json<Parameter>(read_parameter));
}

net::Task<Outcome<std::int64_t>> put_parameter(Client& client, PutParameter put,
                                               Deadline deadline) {
  const Json body = {{"Name", put.name},
                     {"Value", put.value},
                     {"Type", put.type},
                     {"Tier", put.tier},
                     {"Overwrite", put.overwrite}};
  return detail::fetch<std::int64_t>(client, detail::json_call(Service::kSsm, "PutParameter", body),
                                     deadline, detail::reading_json<std::int64_t>(read_version));
}

}  // namespace ebbgate::aws::ssm

#include "aws/servicequotas.h"

#include "aws/detail/call.h"

namespace ebbgate::aws::servicequotas {
namespace {

using detail::Json;

[[nodiscard]] std::optional<double> read_value(const Json& json) {
  const Json* quota = detail::at(json, "Quota");
  const Json* value = quota == nullptr ? nullptr : detail::at(*quota, "Value");
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

}  // namespace

net::Task<Outcome<double>> get_quota(Client& client, std::string service, std::string code,
                                     Deadline deadline) {
  const Json body = {{"ServiceCode", service}, {"QuotaCode", code}};
  Outcome<double> value = failed(Failure::Kind::kInvalid, {});
  for (const char* operation : {"GetServiceQuota", "GetAWSDefaultServiceQuota"}) {
    net::Task<Outcome<double>> task =
        detail::fetch<double>(client, detail::json_call(Service::kServiceQuotas, operation, body),
                              deadline, detail::reading_json<double>(read_value));
    value = co_await task;
    if (value || !value.error().is("NoSuchResourceException")) break;
  }
  co_return value;
}

}  // namespace ebbgate::aws::servicequotas

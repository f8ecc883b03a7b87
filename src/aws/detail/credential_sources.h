// The places of the chain, one function each: nothing where the place is not configured.
#pragma once

#include <optional>
#include <string>

#include "aws/context.h"
#include "aws/credentials.h"
#include "aws/failure.h"
#include "https/url.h"

namespace ebbgate::aws::detail {

using MaybeCredentials = Outcome<std::optional<Credentials>>;

[[nodiscard]] MaybeCredentials from_environment(const Context& context);
// `name`: as profile_name() gives it. `is_required`: a profile that is missing is a failure.
[[nodiscard]] MaybeCredentials from_profile(const Context& context, const std::string& name,
                                            bool is_required);
[[nodiscard]] net::Task<MaybeCredentials> from_web_identity(Context& context, std::string region);
[[nodiscard]] net::Task<MaybeCredentials> from_container(Context& context);
// Nothing: the metadata service is switched off, or the instance has no role.
[[nodiscard]] net::Task<MaybeCredentials> from_instance(Imds& imds);

// Whether a credentials endpoint may be there: https, or one of the four addresses that AWS uses
// on an instance (loopback, 169.254.170.2, 169.254.170.23, fd00:ec2::23). A name over clear HTTP
// is never one, whatever it resolves to.
[[nodiscard]] bool may_hold_credentials(const https::Url& url);

}  // namespace ebbgate::aws::detail

// Who owns the names below a name, as far as the Public Suffix List tells (with its private
// section: shared hosting). For whoever proposes patterns rather than reading them.
#pragma once

#include <string_view>

namespace ebbgate::policy {

// In: a name in the form of Hostname. Out: the part of it, a view into it, under which all names
// have one owner: `example.co.uk` for `a.b.example.co.uk`, `bucket.s3.amazonaws.com` for itself.
// Empty where the name is a public suffix itself. A top-level name that the list does not know
// counts as public.
[[nodiscard]] std::string_view registrable_domain(std::string_view name);

// Whether a pattern for all names below this one would let in names of strangers, as far as can be
// told; true for every public suffix, and for all of the domains of cloud operators, which house
// customers at any depth.
[[nodiscard]] bool is_shared(std::string_view name);

}  // namespace ebbgate::policy

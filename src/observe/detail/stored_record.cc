#include "observe/detail/stored_record.h"

#include <array>
#include <string_view>

namespace ebbgate::observe {
namespace {

// Every text of a Record.
template <typename AnyRecord>
auto texts_of(AnyRecord& record) {
  return std::array{&record.id,
                    &record.vpc_endpoint,
                    &record.subject.kind,
                    &record.subject.name,
                    &record.subject.name_space,
                    &record.user,
                    &record.listener,
                    &record.method,
                    &record.target,
                    &record.host,
                    &record.sni,
                    &record.policy,
                    &record.rule,
                    &record.policy_version,
                    &record.error,
                    &record.content_type};
}

}  // namespace

void StoredRecord::assign(const Record& record) {
  record_ = record;
  texts_.clear();
  for (const std::string_view* text : texts_of(record)) texts_ += *text;
  std::string_view rest = texts_;
  for (std::string_view* text : texts_of(record_)) {
    *text = rest.substr(0, text->size());
    rest.remove_prefix(text->size());
  }
}

}  // namespace ebbgate::observe

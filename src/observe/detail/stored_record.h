// A Record that owns its texts, for the few that outlive the call they came with.
#pragma once

#include <string>

#include "observe/record.h"

namespace ebbgate::observe {

class StoredRecord {
 public:
  StoredRecord() = default;
  StoredRecord(const StoredRecord&) = delete;  // the record points into its own texts
  StoredRecord& operator=(const StoredRecord&) = delete;
  StoredRecord(StoredRecord&&) noexcept = delete;

  void assign(const Record& record);
  [[nodiscard]] Record& record() { return record_; }
  [[nodiscard]] const Record& record() const { return record_; }

 private:
  Record record_{};
  std::string texts_;
};

}  // namespace ebbgate::observe

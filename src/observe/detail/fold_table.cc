#include "observe/detail/fold_table.h"

#include <bit>
#include <functional>
#include <string_view>

namespace ebbgate::observe {
namespace {

void add_part(std::string& key, std::string_view part) {
  const auto size = static_cast<std::uint32_t>(part.size());
  key.append(std::bit_cast<std::array<char, 4>>(size).data(), 4);
  key += part;
}

}  // namespace

FoldTable::FoldTable(std::size_t entries, Duration window)
    : window_(window), folds_(entries), buckets_(std::bit_ceil(entries + 1), kNone) {
  for (std::size_t i = entries; i > 0; --i) {
    folds_[i - 1].next_in_time = free_;
    free_ = static_cast<Index>(i - 1);
  }
}

void FoldTable::read_key(const Record& refusal) {
  key_.clear();
  key_.push_back(static_cast<char>(refusal.reason));
  key_.append(std::bit_cast<std::array<char, 2>>(refusal.port).data(), 2);
  add_part(key_, refusal.host);
  const SubjectName& subject = refusal.subject;
  if (subject.name.empty()) {
    const auto& bytes = refusal.client.bytes();
    key_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else {
    add_part(key_, subject.kind);
    add_part(key_, subject.name_space);
    add_part(key_, subject.name);
  }
}

bool FoldTable::absorb(const Record& refusal) {
  read_key(refusal);
  bucket_ = static_cast<Index>(std::hash<std::string_view>{}(key_) & (buckets_.size() - 1));
  Index at = buckets_[bucket_];
  while (at != kNone && folds_[at].key != key_) at = folds_[at].next_in_bucket;
  if (at == kNone) return false;
  Fold& fold = folds_[at];
  if (!fold.counts) {
    if (!fold.further) fold.further = std::make_unique<StoredRecord>();
    fold.further->assign(refusal);
    fold.counts = true;
    return true;
  }
  Record& sum = fold.further->record();
  sum.time = refusal.time;
  sum.count += refusal.count;
  sum.bytes_in += refusal.bytes_in;
  sum.bytes_out += refusal.bytes_out;
  return true;
}

void FoldTable::remember(MonotonicTime now) {
  if (free_ == kNone) return;
  const Index at = free_;
  Fold& fold = folds_[at];
  free_ = fold.next_in_time;
  fold.key = key_;
  fold.until = now + window_;
  fold.bucket = bucket_;
  fold.next_in_bucket = buckets_[bucket_];
  fold.next_in_time = kNone;
  buckets_[bucket_] = at;
  (oldest_ == kNone ? oldest_ : folds_[newest_].next_in_time) = at;
  newest_ = at;
}

void FoldTable::forget_oldest() {
  const Index at = oldest_;
  Fold& fold = folds_[at];
  Index* link = &buckets_[fold.bucket];
  while (*link != at) link = &folds_[*link].next_in_bucket;
  *link = fold.next_in_bucket;
  oldest_ = fold.next_in_time;
  fold.counts = false;
  fold.next_in_time = free_;
  free_ = at;
}

}  // namespace ebbgate::observe

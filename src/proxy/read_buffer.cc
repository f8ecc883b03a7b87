#include "proxy/read_buffer.h"

#include <cstring>
#include <utility>

namespace ebbgate::proxy {

std::unique_ptr<char[]> BlockPool::take() {
  if (blocks_.empty()) return std::make_unique_for_overwrite<char[]>(kBlock);
  std::unique_ptr<char[]> block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void BlockPool::give_back(std::unique_ptr<char[]> block) {
  if (blocks_.size() < kKept) blocks_.push_back(std::move(block));
}

std::span<char> ReadBuffer::space() {
  if (data_ == nullptr) {
    data_ = pool_->take();
    capacity_ = BlockPool::kBlock;
  }
  if (end_ == capacity_ && begin_ > 0) {
    std::memmove(data_.get(), data_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_) {  // callers bound what they let grow
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_ * 2);
    std::memcpy(larger.get(), data_.get(), end_);
    std::swap(data_, larger);
    if (capacity_ == BlockPool::kBlock) pool_->give_back(std::move(larger));
    capacity_ *= 2;
  }
  return {data_.get() + end_, capacity_ - end_};
}

void ReadBuffer::consume(std::size_t octets) {
  begin_ += octets;
  if (begin_ == end_) begin_ = end_ = 0;
}

void ReadBuffer::release() {
  if (capacity_ == BlockPool::kBlock) pool_->give_back(std::move(data_));
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace ebbgate::proxy

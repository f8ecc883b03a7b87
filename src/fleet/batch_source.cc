#include "fleet/batch_source.h"

#include <chrono>
#include <utility>

#include "net/signal.h"

namespace ebbgate::fleet {

struct PumpedSpool::Answer {
  explicit Answer(net::Loop& loop) : came(loop) {}
  net::Signal came;
  bool is_there = false;
  std::optional<SpooledBatch> batch;
};

PumpedSpool::PumpedSpool(net::Loop& loop, EventPump& pump, Spool& spool)
    : loop_(&loop), pump_(&pump), spool_(&spool) {}

PumpedSpool::~PumpedSpool() = default;

net::Task<std::optional<SpooledBatch>> PumpedSpool::next() {
  const auto answer = std::make_shared<Answer>(*loop_);
  pump_->call([this, answer, loop = loop_] {
    auto batch = spool_->next();
    loop->post([answer, batch = std::move(batch)]() mutable {
      answer->batch = std::move(batch);
      answer->is_there = true;
      answer->came.notify_all();
    });
  });
  while (!answer->is_there) {
    if (co_await answer->came.wait(Deadline::never()) == net::Wait::End::kStopped) break;
  }
  co_return std::move(answer->batch);
}

void PumpedSpool::done(SpooledBatch batch) {
  pump_->call([this, batch = std::move(batch)] { spool_->done(batch); });
}

}  // namespace ebbgate::fleet

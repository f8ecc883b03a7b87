// Where the shipper gets its batches: the spool, as the control loop sees it from across its
// thread.
#pragma once

#include <memory>
#include <optional>

#include "fleet/event_pump.h"
#include "fleet/spool.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::fleet {

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Spool::next(), with all that the workers had queued by now. Nothing, too, at the hard stop.
  [[nodiscard]] virtual net::Task<std::optional<SpooledBatch>> next() = 0;
  virtual void done(SpooledBatch batch) = 0;
};

// The spool belongs to the pump's thread, which does what is asked for here.
class PumpedSpool final : public BatchSource {
 public:
  // All outlive it and its coroutines; the pump is stopped before the loop is gone.
  PumpedSpool(net::Loop& loop, EventPump& pump, Spool& spool);
  ~PumpedSpool() override;
  [[nodiscard]] net::Task<std::optional<SpooledBatch>> next() override;
  void done(SpooledBatch batch) override;

 private:
  struct Answer;  // of the thread, which may come after this object's end
  net::Loop* loop_;
  EventPump* pump_;
  Spool* spool_;
};

}  // namespace ebbgate::fleet

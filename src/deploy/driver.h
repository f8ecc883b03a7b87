// Brings one stack after another to what it should be, by change sets: what a stack needs follows
// from its state (stack.h), so the driver can be stopped at any point and started again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aws/client.h"
#include "aws/cloudformation.h"
#include "deploy/stack.h"
#include "net/loop.h"

namespace ebbgate::deploy {

// What the driver tells as it goes, for a display.
struct Note {
  enum class Kind : std::uint8_t {
    kText,    // a sentence
    kEvent,   // something happened to a resource
    kChange,  // what a change set will do
    kTick,    // nothing new, a poll later
  };
  Kind kind = Kind::kText;
  std::string stack;
  std::string text;
  aws::cloudformation::StackEvent event = {};
  bool takes_away = false;  // of kChange
};
using Tell = std::function<void(const Note&)>;

struct DriverOptions {
  Duration poll = std::chrono::seconds(5);       // between two looks at what is under way
  Duration patience = std::chrono::hours(1);     // for one stack
  Duration call_time = std::chrono::minutes(1);  // for one call with its retries
  int tolerated = 5;  // looks in a row that may fail while something is under way
  bool yes = false;   // what takes something away may be done
};

enum class End : std::uint8_t {
  kUnchanged,
  kCreated,
  kUpdated,
  kDeleted,
  kNeedsYes,  // and was therefore left alone
  kFailed,
  kInterrupted,  // by a signal; what AWS has begun goes on
};

struct StackResult {
  End end = End::kFailed;
  std::string why;   // for kNeedsYes, kFailed and kInterrupted; a sentence without its full stop
  std::string next;  // what to do about it
  aws::cloudformation::Pairs outputs;
  std::vector<std::string> retained;  // of kDeleted: "LogGroup (AWS::Logs::LogGroup) name"

  [[nodiscard]] bool is_good() const {
    return end == End::kUnchanged || end == End::kCreated || end == End::kUpdated ||
           end == End::kDeleted;
  }
};

class Driver {
 public:
  // `client` outlives the driver.
  Driver(aws::Client& client, DriverOptions options, Tell tell)
      : client_(&client), options_(options), tell_(std::move(tell)) {}

  // Makes the stack, or changes it, or leaves it where it is as ordered.
  [[nodiscard]] net::Task<StackResult> bring_up(StackOrder order);
  // Deletes the stack; one that is not there is kUnchanged. The options' `yes` has to be given.
  [[nodiscard]] net::Task<StackResult> take_down(std::string stack);

 private:
  using Stack = aws::cloudformation::Stack;
  template <typename T>
  using Outcome = aws::Outcome<T>;

  // How one turn of bring_up() ended: with a result, or with a look at the stack again.
  struct Turn {
    bool is_over = false;
    StackResult result;
  };
  [[nodiscard]] net::Task<Turn> create_or_update(const StackOrder& order,
                                                 const std::optional<Stack>& stack, bool& executed);
  [[nodiscard]] net::Task<Turn> prepare_change_set(const StackOrder& order, bool is_create,
                                                   aws::cloudformation::ChangeSet& out);
  [[nodiscard]] net::Task<Turn> rebuild(const Stack& stack);
  // Follows the stack until nothing is under way. Out: its state then; nothing: it is gone.
  // `events_from`: the newest event that is not to be told.
  [[nodiscard]] net::Task<Outcome<std::optional<Stack>>> follow(std::string stack,
                                                                std::string events_from);
  [[nodiscard]] net::Task<Outcome<std::string>> newest_event(std::string stack);
  [[nodiscard]] net::Task<std::string> why_failed(std::string stack);
  // What its deletion left in place.
  [[nodiscard]] net::Task<std::vector<std::string>> retained_of(std::string stack);
  [[nodiscard]] net::Task<void> pause();

  [[nodiscard]] StackResult failure(const aws::Failure& failure, std::string_view what) const;
  [[nodiscard]] Deadline soon() const;
  [[nodiscard]] bool is_stopped() const;
  void say(const std::string& stack, std::string text) const;

  aws::Client* client_;
  DriverOptions options_;
  Tell tell_;
};

}  // namespace ebbgate::deploy

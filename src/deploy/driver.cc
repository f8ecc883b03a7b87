#include "deploy/driver.h"

#include <algorithm>
#include <utility>

#include "net/loop.h"

namespace ebbgate::deploy {
namespace {

namespace cfn = aws::cloudformation;
using aws::Failure;

constexpr int kTurns =
    12;  // looks at one stack: wait, rebuild, create, and what else comes between

StackResult result_of(End end, std::string why = {}, std::string next = {}) {
  StackResult result;
  result.end = end;
  result.why = std::move(why);
  result.next = std::move(next);
  return result;
}

}  // namespace

Deadline Driver::soon() const {
  return client_->context().loop.after(options_.call_time);
}

bool Driver::is_stopped() const {
  return client_->context().loop.is_giving_up();
}

void Driver::say(const std::string& stack, std::string text) const {
  tell_({.kind = Note::Kind::kText, .stack = stack, .text = std::move(text)});
}

StackResult Driver::failure(const Failure& failure, std::string_view what) const {
  if (is_stopped()) {
    return result_of(End::kInterrupted, "interrupted; what AWS has begun goes on",
                     next_step(failure));
  }
  if (failure.reason == Reason::kDraining) {
    return result_of(End::kFailed, std::string(what) + ": still under way, and --timeout is over",
                     next_step(failure));
  }
  return result_of(End::kFailed, failure.describe(what), next_step(failure));
}

net::Task<void> Driver::pause() {
  net::Loop& loop = client_->context().loop;
  const Deadline until = loop.after(std::max(options_.poll, Duration(1)));
  co_await net::sleep_until(loop, until);
}

net::Task<aws::Outcome<std::string>> Driver::newest_event(std::string stack) {
  auto events = co_await cfn::describe_stack_events(*client_, std::move(stack), "", soon());
  if (!events) co_return std::unexpected(std::move(events.error()));
  co_return events->empty() ? std::string() : events->front().id;
}

net::Task<std::string> Driver::why_failed(std::string stack) {
  const auto events = co_await cfn::describe_stack_events(*client_, std::move(stack), "", soon());
  if (!events) co_return std::string();
  co_return first_failure(*events);
}

net::Task<aws::Outcome<std::optional<cfn::Stack>>> Driver::follow(std::string stack,
                                                                  std::string events_from) {
  net::Loop& loop = client_->context().loop;
  const Deadline end = loop.after(options_.patience);
  int failures = 0;
  while (true) {
    auto events = co_await cfn::describe_stack_events(*client_, stack, events_from, soon());
    auto found = co_await cfn::describe_stack(*client_, stack, soon());
    if (events && !events->empty()) {
      events_from = events->front().id;
      for (auto event = events->rbegin(); event != events->rend(); ++event) {
        tell_({.kind = Note::Kind::kEvent, .stack = stack, .text = {}, .event = std::move(*event)});
      }
    }
    if (found) {
      failures = 0;
      const bool waits = *found && need_of((*found)->status) == Need::kWait;
      if (!waits) co_return std::move(*found);
      tell_({.kind = Note::Kind::kTick, .stack = stack, .text = (*found)->status});
    } else if (is_stopped() || !found.error().is_retryable || ++failures > options_.tolerated) {
      co_return std::unexpected(std::move(found.error()));
    } else {
      say(stack, found.error().describe("DescribeStacks") + "; looking again");
    }
    co_await pause();
    if (is_stopped()) {
      Failure stopped;
      stopped.kind = Failure::Kind::kNetwork;
      stopped.reason = Reason::kDraining;
      stopped.message = "interrupted";
      co_return std::unexpected(std::move(stopped));
    }
    if (loop.now() >= end.when()) {
      Failure late;
      late.kind = Failure::Kind::kNetwork;
      late.reason = Reason::kDraining;
      late.message = "still under way";
      co_return std::unexpected(std::move(late));
    }
  }
}

net::Task<StackResult> Driver::bring_up(StackOrder order) {
  bool executed = false;
  for (int turn = 0; turn < kTurns; ++turn) {
    auto found = co_await cfn::describe_stack(*client_, order.name, soon());
    if (!found) co_return failure(found.error(), "the stack " + order.name);
    std::optional<Stack> stack = std::move(*found);
    const std::optional<std::string> status = stack ? std::optional(stack->status) : std::nullopt;
    switch (need_of(status)) {
      case Need::kWait: {
        say(order.name, "is " + *status + ": following it");
        auto from = co_await newest_event(order.name);
        auto rest = co_await follow(order.name, from ? *from : std::string());
        if (!rest) co_return failure(rest.error(), "the stack " + order.name);
        break;
      }
      case Need::kRebuild:
        if (executed) {
          const std::string why = co_await why_failed(order.name);
          co_return result_of(End::kFailed, "the stack could not be made: " + why,
                              next_step(*status, order.name, client_->region()));
        } else {
          Turn step = co_await rebuild(*stack);
          if (step.is_over) co_return std::move(step.result);
        }
        break;
      case Need::kPerson: {
        const std::string why = co_await why_failed(order.name);
        co_return result_of(End::kFailed,
                            "the stack is " + *status + (why.empty() ? "" : ": " + why),
                            next_step(*status, order.name, client_->region()));
      }
      case Need::kCreate:
      case Need::kUpdate: {
        Turn step = co_await create_or_update(order, stack, executed);
        if (step.is_over) co_return std::move(step.result);
        break;
      }
    }
  }
  co_return result_of(End::kFailed, "the stack changes between each two looks at it",
                      "see who else works on it, then run the same command again");
}

net::Task<Driver::Turn> Driver::create_or_update(const StackOrder& order,
                                                 const std::optional<Stack>& stack,
                                                 bool& executed) {
  const bool is_create =
      need_of(stack ? std::optional(stack->status) : std::nullopt) == Need::kCreate;
  if (!is_create) {
    if (executed) {
      if (has_succeeded(stack->status)) {
        Turn done{true,
                  result_of(stack->status == "CREATE_COMPLETE" ? End::kCreated : End::kUpdated)};
        done.result.outputs = stack->outputs;
        co_return done;
      }
      const std::string why = co_await why_failed(order.name);
      co_return Turn{true, result_of(End::kFailed, "the change was taken back: " + why,
                                     next_step(stack->status, order.name, client_->region()))};
    }
    auto text = co_await cfn::get_template(*client_, order.name, soon());
    if (!text) co_return Turn{true, failure(text.error(), "the template of " + order.name)};
    if (differences(*stack, *text, order).empty()) {
      Turn done{true, result_of(End::kUnchanged)};
      done.result.outputs = stack->outputs;
      co_return done;
    }
  }
  cfn::ChangeSet set;
  Turn prepared = co_await prepare_change_set(order, is_create, set);
  if (prepared.is_over) {
    if (prepared.result.end == End::kUnchanged && stack) prepared.result.outputs = stack->outputs;
    co_return prepared;
  }
  if (set.id.empty()) co_return Turn{};  // it has to be looked at again
  std::string taken;
  for (const cfn::Change& change : set.changes) {
    if (!is_create) {
      tell_({.kind = Note::Kind::kChange,
             .stack = order.name,
             .text = describe(change),
             .takes_away = takes_away(change)});
    }
    if (takes_away(change)) taken += (taken.empty() ? "" : ", ") + change.logical_id;
  }
  if (!taken.empty() && !is_create && !options_.yes) {
    co_return Turn{true, result_of(End::kNeedsYes, "the change removes or replaces " + taken,
                                   "read the change set `" + set.name +
                                       "`, then run the same command with --yes, or take the "
                                       "change of eks.yaml back")};
  }
  auto from = co_await newest_event(order.name);
  const std::string newest = from ? *std::move(from) : std::string();
  auto begun = co_await cfn::execute_change_set(*client_, order.name, set.name, {}, soon());
  if (!begun && !begun.error().is("InvalidChangeSetStatus") &&
      !begun.error().is("ChangeSetNotFound")) {
    co_return Turn{true, failure(begun.error(), "the change of " + order.name)};
  }
  if (!begun) {
    // Somebody was faster, or the answer to the first attempt was lost: the stack tells.
    co_await pause();
    co_return Turn{};
  }
  executed = true;
  auto rest = co_await follow(order.name, newest);
  if (!rest) co_return Turn{true, failure(rest.error(), "the stack " + order.name)};
  co_return Turn{};
}

net::Task<Driver::Turn> Driver::prepare_change_set(const StackOrder& order, bool is_create,
                                                   cfn::ChangeSet& out) {
  const std::string name = change_set_name(order);
  net::Loop& loop = client_->context().loop;
  const Deadline end = loop.after(options_.patience);
  bool is_asked = false;
  while (loop.now() < end.when() && !is_stopped()) {
    auto set = co_await cfn::describe_change_set(*client_, order.name, name, soon());
    if (!set) {
      const bool missing = set.error().is("ChangeSetNotFound") ||
                           (set.error().is("ValidationError") &&
                            set.error().message.find("does not exist") != std::string::npos);
      if (!missing || is_asked) {
        co_return Turn{true, failure(set.error(), "the change set of " + order.name)};
      }
      cfn::NewChangeSet wanted;
      wanted.stack = order.name;
      wanted.name = name;
      wanted.is_create = is_create;
      wanted.template_body = order.template_body;
      wanted.parameters = order.parameters;
      wanted.tags = order.tags;
      wanted.capabilities = {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"};
      wanted.description = "ebbgate eks apply";
      auto made = co_await cfn::create_change_set(*client_, std::move(wanted), soon());
      if (!made && !made.error().is("AlreadyExistsException")) {
        co_return Turn{true, failure(made.error(), "the change set of " + order.name)};
      }
      is_asked = true;
      continue;
    }
    if (set->status == "CREATE_PENDING" || set->status == "CREATE_IN_PROGRESS") {
      co_await pause();
      continue;
    }
    if (set->status == "CREATE_COMPLETE" && set->execution_status == "AVAILABLE") {
      out = *std::move(set);
      if (out.name.empty()) out.name = name;
      if (out.id.empty()) out.id = name;
      co_return Turn{};
    }
    const bool is_empty = set->is_empty();
    const std::string reason = set->status_reason;
    const std::string status = set->status + " " + set->execution_status;
    auto gone = co_await cfn::delete_change_set(*client_, order.name, name, soon());
    if (is_empty) co_return Turn{true, result_of(End::kUnchanged)};
    if (!gone && !gone.error().is("InvalidChangeSetStatus")) {
      co_return Turn{true, failure(gone.error(), "the change set of " + order.name)};
    }
    if (is_asked) {
      co_return Turn{
          true, result_of(End::kFailed,
                          "the change set is " + status + (reason.empty() ? "" : ": " + reason),
                          "correct what it says and run the same command again")};
    }
    // One of an earlier run that can no longer be executed: it is deleted, and made anew, unless it
    // was executed meanwhile.
    if (!gone) {
      co_await pause();
      co_return Turn{};
    }
  }
  Failure late;
  late.kind = Failure::Kind::kNetwork;
  late.reason = Reason::kDraining;
  co_return Turn{true, failure(late, "the change set of " + order.name)};
}

net::Task<Driver::Turn> Driver::rebuild(const Stack& stack) {
  const std::string name = stack.name;
  auto resources = co_await cfn::describe_stack_resources(*client_, name, soon());
  if (!resources) co_return Turn{true, failure(resources.error(), "the stack " + name)};
  std::string left;
  for (const cfn::StackResource& each : *resources) {
    if (each.status == "DELETE_COMPLETE") continue;
    left += (left.empty() ? "" : ", ") + each.logical_id;
  }
  if (!left.empty() && !options_.yes) {
    co_return Turn{true,
                   result_of(End::kNeedsYes,
                             "the stack is " + stack.status + ", and there still is of it " + left,
                             next_step("CREATE_FAILED", name, client_->region()))};
  }
  say(name, "is " + stack.status +
                (left.empty() ? ", with nothing left in it: deleting the empty stack"
                              : ": deleting what is left of it"));
  auto from = co_await newest_event(name);
  auto begun = co_await cfn::delete_stack(*client_, name, {}, soon());
  if (!begun) co_return Turn{true, failure(begun.error(), "deleting " + name)};
  auto rest = co_await follow(name, from ? *from : std::string());
  if (!rest) co_return Turn{true, failure(rest.error(), "the stack " + name)};
  if (*rest && (*rest)->status == "DELETE_FAILED") {
    const std::string why = co_await why_failed(name);
    co_return Turn{true, result_of(End::kFailed, "the stack could not be deleted: " + why,
                                   next_step("DELETE_FAILED", name, client_->region()))};
  }
  co_return Turn{};
}

net::Task<std::vector<std::string>> Driver::retained_of(std::string stack) {
  std::vector<std::string> retained;
  const auto events = co_await cfn::describe_stack_events(*client_, std::move(stack), "", soon());
  if (!events) co_return retained;
  for (const cfn::StackEvent& event : *events) {
    if (event.status != "DELETE_SKIPPED") continue;
    retained.push_back(event.logical_id + " (" + event.type + ") " + event.physical_id);
  }
  co_return retained;
}

net::Task<StackResult> Driver::take_down(std::string stack) {
  bool deleted = false;
  StackResult done = result_of(End::kUnchanged);
  for (int turn = 0; turn < kTurns; ++turn) {
    auto found = co_await cfn::describe_stack(*client_, stack, soon());
    if (!found) co_return failure(found.error(), "the stack " + stack);
    if (!*found || (*found)->status == "DELETE_COMPLETE") co_return done;
    const Stack& current = **found;
    auto from = co_await newest_event(stack);
    std::string newest = from ? *std::move(from) : std::string();
    if (need_of(current.status) == Need::kWait) {
      if (current.status == "DELETE_IN_PROGRESS") done.end = End::kDeleted;
      say(stack, "is " + current.status + ": following it");
    } else if (deleted) {
      const std::string why = co_await why_failed(stack);
      co_return result_of(End::kFailed, "the stack could not be deleted: " + why,
                          "remove what holds it (the event names it) and run `ebbgate eks destroy "
                          "--yes` again");
    } else if (!options_.yes) {
      co_return result_of(End::kNeedsYes, "nothing is deleted without --yes",
                          "run `ebbgate eks destroy --yes`");
    } else if (current.is_protected) {
      co_return result_of(
          End::kFailed, "the stack is protected against deletion",
          "run `aws cloudformation update-termination-protection --no-enable-termination-"
          "protection --stack-name " +
              stack + " --region " + client_->region() + "`, then the same command again");
    } else {
      auto begun =
          co_await cfn::delete_stack(*client_, current.id.empty() ? stack : current.id, {}, soon());
      if (!begun) co_return failure(begun.error(), "deleting " + stack);
      deleted = true;
      done.end = End::kDeleted;
    }
    // By its id: a name is forgotten once the stack is gone.
    const std::string id = current.id.empty() ? stack : current.id;
    auto rest = co_await follow(id, newest);
    if (!rest) co_return failure(rest.error(), "the stack " + stack);
    if (deleted) done.retained = co_await retained_of(id);
  }
  co_return result_of(End::kFailed, "the stack changes between each two looks at it",
                      "see who else works on it, then run the same command again");
}

}  // namespace ebbgate::deploy

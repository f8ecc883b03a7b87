#include "kube/watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/object_set.h"
#include "kube/testing.h"

namespace ebbgate::kube {
namespace {

using testing::Answer;
using testing::event;
using testing::list;
using testing::object;
using testing::status;

// What a watcher was told, in one line.
class Recorder final : public Watcher {
 public:
  void begin_list() override { told += "( "; }
  void take(Change change, std::string_view object) override {
    const auto id = identify(object);
    told += (change == Change::kPut ? "+" : "-") + (id ? id->name : "?") + " ";
  }
  void end_list() override { told += ") "; }
  void settle() override { told += ". "; }
  void on_freshness() override { told += watch->state().is_lost() ? "lost " : "fresh "; }

  std::string told;
  const ListWatch* watch = nullptr;
};

struct Watched {
  std::string told;
  WatchState state;
  std::vector<std::string> paths;
  MonotonicTime end{};
};

Watched run(std::vector<Answer> answers,
            WatchOptions options = {.backoff = std::chrono::milliseconds(1),
                                    .max_backoff = std::chrono::milliseconds(4)}) {
  testing::World world;
  for (Answer& each : answers) world.api.add(std::move(each));
  Recorder recorder;
  ListWatch watch(world.client, {.plural = "pods"}, recorder, {}, options);
  recorder.watch = &watch;
  watch.start();
  world.loop->run();
  Watched out{std::move(recorder.told), watch.state(), {}, world.loop->now()};
  for (std::size_t i = 0; i < world.api.seen.size(); ++i) out.paths.push_back(world.api.path(i));
  return out;
}

Answer body(std::string text) {
  return {.pieces = {std::move(text)}};
}
Answer broken(Reason reason) {
  return {.breaks = reason, .has_no_head = true};
}
Answer refused(int code, const std::string& reason) {
  return {.status = code, .pieces = {status(code, reason)}};
}
std::string version_asked(const std::string& path) {
  const std::string key = "resourceVersion=";
  const std::size_t begin = path.find(key);
  if (begin == path.npos) return "";
  return path.substr(begin + key.size(), path.find('&', begin) - begin - key.size());
}

TEST(ListWatch, ListsThenWatchesFromTheListsVersion) {
  const Watched out =
      run({body(list("10", object("a", "1") + "," + object("b", "2"))),
           body(event("ADDED", object("c", "11")) + event("MODIFIED", object("a", "12")) +
                event("DELETED", object("b", "13")))});
  EXPECT_EQ(out.told, "( +a +b ) . fresh +c +a -b . ");
  ASSERT_EQ(out.paths.size(), 3U);
  EXPECT_EQ(out.paths[0], "/api/v1/pods?limit=500");
  EXPECT_EQ(out.paths[1],
            "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=" +
                out.paths[1].substr(out.paths[1].rfind('=') + 1));
  EXPECT_EQ(version_asked(out.paths[2]), "13");
  EXPECT_EQ(out.state.version, "13");
  EXPECT_EQ(out.state.events, 3U);
  EXPECT_EQ(out.state.failures, 0U);
  EXPECT_FALSE(out.state.is_lost());
}

TEST(ListWatch, AsksForStreamsOfADifferentLength) {
  const Watched out = run({body(list("1", ""))});
  const int seconds = std::stoi(out.paths[1].substr(out.paths[1].rfind('=') + 1));
  EXPECT_GE(seconds, 300);
  EXPECT_LE(seconds, 600);
}

TEST(ListWatch, GoesOnFromABookmark) {
  const Watched out =
      run({body(list("10", "")), body(event("BOOKMARK", object("", "90"))), body("")});
  EXPECT_EQ(version_asked(out.paths[2]), "90");
  EXPECT_EQ(out.state.events, 0U);
}

TEST(ListWatch, ListsAnewWhereTheVersionIsGone) {
  const std::string gone_event = R"({"type":"ERROR","object":)" + status(410, "Expired") + "}\n";
  for (const Answer& gone : {refused(410, "Expired"), body(gone_event)}) {
    const Watched out =
        run({body(list("10", object("a", "1"))), gone, body(list("20", object("b", "15"))),
             body(event("ADDED", object("c", "21")))});
    EXPECT_EQ(out.paths[2], "/api/v1/pods?limit=500");
    EXPECT_EQ(version_asked(out.paths[3]), "20");
    EXPECT_TRUE(out.told.ends_with("( +b ) . fresh +c . ")) << out.told;
    EXPECT_EQ(out.state.lists, 2U);
  }
}

TEST(ListWatch, ListsAnewWhereTheServerIsAnother) {
  testing::World world;
  world.api.add(list("10", object("a", "1")))
      .add(event("ADDED", object("b", "11")))
      .add(list("5", object("c", "4")));
  ObjectSet set([&] {
    if (set.objects().size() == 2) world.client.set_server("https://other.example");
  });
  ListWatch watch(world.client, {.plural = "pods"}, set);
  watch.start();
  world.loop->run();
  ASSERT_GE(world.api.seen.size(), 3U);
  EXPECT_EQ(world.api.seen[2].url, "https://other.example/api/v1/pods?limit=500");
  ASSERT_EQ(set.objects().size(), 1U);
  EXPECT_EQ(set.objects().begin()->first.name, "c");
}

TEST(ListWatch, ResumesWhereAStreamBreaks) {
  const Watched out = run({body(list("10", "")),
                           {.pieces = {event("ADDED", object("a", "11")), R"({"type":"ADD)"},
                            .breaks = Reason::kOriginInvalid},
                           body(event("ADDED", object("b", "12")))});
  EXPECT_EQ(out.told, "( ) . fresh +a . lost fresh +b . ");
  EXPECT_EQ(version_asked(out.paths[2]), "11");
  EXPECT_EQ(out.state.lists, 1U);
  EXPECT_EQ(out.state.failures, 1U);
}

TEST(ListWatch, TakesASilentStreamForDead) {
  const Watched out = run({body(list("10", "")),
                           {.pieces = {}, .breaks = Reason::kTimedOut},
                           body(event("ADDED", object("b", "12")))});
  EXPECT_EQ(out.told, "( ) . fresh lost fresh +b . ");
  EXPECT_EQ(out.state.lists, 1U);
}

TEST(ListWatch, DropsWhatIsOldOrDouble) {
  const Watched out =
      run({body(list("10", "")),
           body(event("ADDED", object("old", "9")) + event("ADDED", object("a", "11")) +
                event("ADDED", object("a", "11")) + event("MODIFIED", object("b", "100")) +
                event("MODIFIED", object("c", "99")))});
  EXPECT_EQ(out.told, "( ) . fresh +a +b . ");
  EXPECT_EQ(version_asked(out.paths[2]), "100");
}

TEST(ListWatch, AWholeListIsNews) {
  // The watch fails, the version is gone; the list comes, and the next watch fails, too.
  const Answer gone = refused(410, "Expired");
  const Watched out = run({body(list("10", "")), gone, body(list("20", object("a", "15"))), gone,
                           refused(403, "Forbidden"), body(list("30", ""))});
  EXPECT_EQ(out.told, "( ) . fresh lost ( +a ) . fresh lost ( ( ) . fresh ");
  EXPECT_FALSE(out.state.is_lost());
  EXPECT_EQ(out.state.last_error, "");
  // That lists come does not make a watch that is refused for ever begin in haste.
  const Answer forbidden = refused(403, "Forbidden");
  std::vector<Answer> answers = {body(list("10", ""))};
  for (int i = 0; i < 3; ++i) answers.push_back(forbidden);
  for (int i = 0; i < 3; ++i) {
    answers.push_back(body(list("20", "")));
    answers.push_back(forbidden);
  }
  EXPECT_EQ(run(std::move(answers)).state.lists, 4U);
}

TEST(ListWatch, AnAnswerToAResumedWatchIsNewsWhereNoErrorFollows) {
  using namespace std::chrono_literals;
  const WatchOptions options{.sound = 20ms, .backoff = 1ms, .max_backoff = 4ms};
  Answer quiet{.breaks = Reason::kTimedOut, .lasts = 60ms};
  const Answer busy = refused(503, "ServiceUnavailable");
  EXPECT_EQ(run({body(list("10", "")), busy, quiet}, options).told, "( ) . fresh lost fresh lost ");
  quiet.lasts = 1ms;
  EXPECT_EQ(run({body(list("10", "")), busy, quiet}, options).told, "( ) . fresh lost ");
  // A head with an error behind it says nothing: it is lost since it was heard last.
  const Answer error = body(R"({"type":"ERROR","object":)" + status(410, "Expired") + "}\n");
  const Watched lost = run({body(list("10", "")),
                            {.breaks = Reason::kTimedOut, .lasts = 50ms},
                            error,
                            {.status = 403, .lasts = 50ms}},
                           options);
  EXPECT_EQ(lost.told, "( ) . fresh lost ( ( ");
  EXPECT_TRUE(lost.state.is_lost());
  EXPECT_GE(lost.end - *lost.state.lost_since, 90ms);
}

TEST(ListWatch, WaitsWhereTheApiIsBusy) {
  for (const int code : {429, 503}) {
    Answer busy = refused(code, "TooManyRequests");
    busy.headers = {{"retry-after", "0"}};
    const Watched out = run({busy, body(list("10", "")), busy, busy, busy, busy,
                             body(event("ADDED", object("a", "11")))});
    EXPECT_EQ(out.told, "( ) . fresh lost fresh +a . ") << code;
    EXPECT_EQ(out.state.lists, 1U) << code;
    EXPECT_EQ(out.state.failures, 4U);
  }
}

TEST(ListWatch, ListsAnewWhereAVersionIsRefusedAgainAndAgain) {
  // As after the API's store was restored from a backup: the version is one of the future.
  const Answer future = refused(504, "Timeout");
  const Watched out =
      run({body(list("10", "")), future, future, future, body(list("3", object("a", "2")))});
  EXPECT_EQ(out.paths[4], "/api/v1/pods?limit=500");
  EXPECT_EQ(version_asked(out.paths[5]), "3");
}

TEST(ListWatch, ListsAnewAfterWhatItCannotRead) {
  const std::string cases[] = {
      "nonsense",
      "{}",
      R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})",
      event("INVENTED", object("a", "11")),
      event("ADDED", object(std::string(8192, 'x'), "11")),
      "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\",\"resourceVersion\":\"11\"}}"
      "}",
  };
  for (const std::string& text : cases) {
    const Watched out =
        run({body(list("10", "")), body(text), body(list("20", object("a", "11")))});
    EXPECT_EQ(out.told, "( ) . fresh lost ( +a ) . fresh ") << text.substr(0, 80);
    EXPECT_EQ(version_asked(out.paths[3]), "20");
  }
}

TEST(ListWatch, KeepsAskingWhereThereIsNothingYet) {
  const Watched out =
      run({refused(404, "NotFound"), broken(Reason::kConnectFailed), refused(403, "Forbidden"),
           body("[]"), body(list("", "")), body(list("10", object("a", "1")))});
  EXPECT_TRUE(out.told.ends_with("( +a ) . fresh ")) << out.told;
  EXPECT_EQ(out.state.version, "10");
  EXPECT_EQ(out.state.lists, 1U);
}

TEST(ListWatch, SaysWhatIsWrong) {
  const Watched out = run({refused(403, "Forbidden")});
  EXPECT_EQ(out.state.last_error, "pods: the API answered 403 Forbidden: so it is");
  EXPECT_TRUE(out.state.is_lost());
  EXPECT_FALSE(out.state.is_synced);
}

TEST(ListWatch, IsNotFastWhereStreamsEndAtOnce) {
  const Watched out = run({body(list("10", "")), body(""), body(""), body("")});
  EXPECT_EQ(out.state.failures, 3U);
}

TEST(ListWatch, DoesNotMindHowTheOctetsCome) {
  const std::string text = event("ADDED", object("a", "11")) + event("DELETED", object("b", "12"));
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const Watched out =
        run({body(list("10", "")), {.pieces = {text.substr(0, at), text.substr(at)}}});
    EXPECT_EQ(out.state.events, 2U) << at;
    EXPECT_EQ(out.state.version, "12") << at;
    EXPECT_EQ(out.state.failures, 0U) << at;
  }
}

TEST(ListWatch, EscapesTheVersion) {
  const Watched out = run({body(list("a b&c", ""))});
  EXPECT_EQ(version_asked(out.paths[1]), "a%20b%26c");
}

TEST(ObjectSet, IsWhatTheApiHas) {
  testing::World world;
  std::vector<std::string> seen;
  ObjectSet* set_there = nullptr;
  ObjectSet set([&] {
    std::string names;
    for (const auto& [id, text] : set_there->objects()) names += id.name;
    seen.push_back(names);
  });
  set_there = &set;
  world.api.add(list("10", object("a", "1") + "," + object("b", "2")))
      .add(event("ADDED", object("c", "11")) + event("DELETED", object("a", "12")) +
           event("BOOKMARK", object("", "13")))
      .status(410, status(410, "Expired"))
      .add({.pieces = {R"({"kind":"XList","metadata":{"resourceVersion":"20"},"items":[)",
                       object("c", "11")},
            .breaks = Reason::kOriginInvalid})
      .add(list("21", object("c", "11")));
  ListWatch watch(world.client, {.plural = "xs"}, set, {},
                  {.backoff = std::chrono::milliseconds(1)});
  watch.start();
  world.loop->run();
  EXPECT_EQ(seen, (std::vector<std::string>{"ab", "bc", "c"}));
}

}  // namespace
}  // namespace ebbgate::kube

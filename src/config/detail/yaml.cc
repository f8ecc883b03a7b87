// Builds the tree from yaml-cpp's events: its own Node costs ten times the memory and time. The
// text is checked before: yaml-cpp takes an octet 0x04 for the end of the file, and guesses UTF-16.
#include "config/detail/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/escape.h"
#include "base/utf8.h"

namespace ebbgate::config::detail {
namespace {

constexpr std::size_t kMaxProblems = 20;  // further ones tell nobody anything

// The first octet that has no place in a text.
std::optional<Problem> misplaced_octet(std::string_view text, const std::string& file) {
  policy::Position position{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto octet = static_cast<unsigned char>(c);
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      return Problem{.file = file,
                     .position = position,
                     .message = "this is not UTF-8",
                     .fix = "save the file as UTF-8"};
    }
    if ((octet < 0x20 && c != '\t' && c != '\n' && c != '\r') || octet == 0x7f) {
      return Problem{.file = file,
                     .position = position,
                     .message = "a control character (" + escaped(text.substr(i, 1)) + ")",
                     .fix = "remove it"};
    }
    if (c == '\n') {
      position = {position.line + 1, 1};
    } else {
      position.column += static_cast<std::uint32_t>(length);
    }
    i += length;
  }
  return std::nullopt;
}

policy::Position place(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
}

}  // namespace

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Yaml& tree, const std::string& file, std::vector<Problem>& problems)
      : tree_(&tree), file_(&file), problems_(&problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    root_ = next();
    const policy::Position position = place(mark);
    is_stuck_ = position == document_;
    document_ = position;
  }
  void OnDocumentEnd() override {
    if (root_ < next() && tree_->nodes_[root_].kind != NodeKind::kNull) {
      tree_->roots_.push_back(root_);
    }
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(NodeKind::kNull, mark, "", anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(place(mark), "an alias (*)", "write out what it stands for");
    add(NodeKind::kNull, mark, "", 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Yaml::Node& node = add(tag == "!" ? NodeKind::kQuoted : NodeKind::kPlain, mark, tag, anchor);
    node.offset = static_cast<std::uint32_t>(tree_->text_.size());
    node.length = static_cast<std::uint32_t>(text.size());
    tree_->text_ += text;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(NodeKind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(NodeKind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { check_keys(close()); }

  // yaml-cpp reports an empty document again and again before a token that it does not expect
  // there, such as a comma.
  [[nodiscard]] bool is_stuck() const { return is_stuck_; }
  [[nodiscard]] policy::Position document() const { return document_; }

 private:
  [[nodiscard]] std::uint32_t next() const {
    return static_cast<std::uint32_t>(tree_->nodes_.size());
  }

  void refuse(policy::Position position, std::string message, std::string fix) {
    if (problems_->size() >= kMaxProblems) return;
    problems_->push_back({.file = *file_,
                          .position = position,
                          .message = std::move(message),
                          .fix = std::move(fix)});
  }

  Yaml::Node& add(NodeKind kind, const YAML::Mark& mark, std::string_view tag,
                  YAML::anchor_t anchor) {
    const policy::Position position = place(mark);
    if (anchor != 0) refuse(position, "an anchor (&)", "write the value out where it is needed");
    if (tag.size() > 1) {  // "?" and "!" stand for a plain and a quoted node without a tag
      refuse(position, "a tag (" + escaped_prose(tag, 64) + ")", "remove it");
    }
    return tree_->nodes_.emplace_back(Yaml::Node{
        .line = position.line, .column = position.column, .end = next() + 1, .kind = kind});
  }

  void open(NodeKind kind, const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor) {
    open_.push_back(next());
    add(kind, mark, tag, anchor);
    if (open_.size() == kMaxYamlDepth + 1) {
      refuse(place(mark), "more than 32 levels", "nest less deeply");
    }
  }

  std::uint32_t close() {
    const std::uint32_t index = open_.back();
    open_.pop_back();
    tree_->nodes_[index].end = next();
    return index;
  }

  void check_keys(std::uint32_t map) {
    std::vector<std::pair<std::string_view, std::uint32_t>> keys;
    std::vector<Yaml::Node>& nodes = tree_->nodes_;
    for (std::uint32_t key = map + 1; key < nodes[map].end;) {
      const Yaml::Node& node = nodes[key];
      if (node.kind != NodeKind::kPlain && node.kind != NodeKind::kQuoted) {
        refuse({node.line, node.column},
               "a key has to be text, and this is " + std::string(described(node.kind)),
               "write `key: value`");
        return;
      }
      keys.emplace_back(std::string_view(tree_->text_).substr(node.offset, node.length), key);
      Yaml::Node& value = nodes[node.end];
      if (value.kind == NodeKind::kNull) {  // yaml-cpp notices on the next line only
        value.line = node.line;
        value.column = node.column;
      }
      key = value.end;
    }
    std::ranges::sort(keys);
    for (std::size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first != keys[i - 1].first) continue;
      const Yaml::Node& node = nodes[keys[i].second];
      refuse({node.line, node.column},
             "the key \"" + escaped_prose(keys[i].first, 64) + "\" is given twice",
             "remove one of them");
    }
  }

  Yaml* tree_;
  const std::string* file_;
  std::vector<Problem>* problems_;
  std::vector<std::uint32_t> open_;
  std::uint32_t root_ = 0;
  policy::Position document_;
  bool is_stuck_ = false;
};

std::expected<Yaml, std::vector<Problem>> Yaml::parse(std::string_view text,
                                                      const std::string& file) {
  std::vector<Problem> problems;
  if (text.size() > kMaxYamlSize) {
    problems.push_back({.file = file,
                        .message = "more than 16 MiB of YAML",
                        .fix = "split the file, or write the names as plain lists"});
    return std::unexpected(std::move(problems));
  }
  if (auto problem = misplaced_octet(text, file)) {
    return std::unexpected(std::vector{std::move(*problem)});
  }
  Yaml tree;
  const auto not_yaml = [&](policy::Position position, std::string_view why) {
    problems.push_back({.file = file,
                        .position = position,
                        .message = "this is not YAML: " + std::string(why),
                        .fix = "check the indentation (no tabs), the quotes and the brackets"});
  };
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(tree, file, problems);
    while (parser.HandleNextDocument(builder) && !builder.is_stuck()) {
    }
    if (builder.is_stuck()) not_yaml(builder.document(), "nothing can stand here");
  } catch (const YAML::Exception& e) {
    // What was refused above is closer to the cause: yaml-cpp gives up past some 250 levels.
    if (problems.empty()) not_yaml(place(e.mark), escaped_prose(e.msg, 200));
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return tree;
}

std::vector<Value> Yaml::documents() const {
  std::vector<Value> roots;
  roots.reserve(roots_.size());
  for (const std::uint32_t root : roots_) roots.push_back(Value(this, root));
  return roots;
}

NodeKind Value::kind() const {
  return tree_->nodes_[index_].kind;
}

policy::Position Value::position() const {
  return {tree_->nodes_[index_].line, tree_->nodes_[index_].column};
}

bool Value::is_text() const {
  return kind() == NodeKind::kPlain || kind() == NodeKind::kQuoted;
}

std::string_view Value::text() const {
  const Yaml::Node& node = tree_->nodes_[index_];
  return std::string_view(tree_->text_).substr(node.offset, node.length);
}

std::vector<Value> Value::children() const {
  std::vector<Value> out;
  const std::uint32_t end = tree_->nodes_[index_].end;
  for (std::uint32_t i = index_ + 1; i < end; i = tree_->nodes_[i].end) {
    out.push_back(Value(tree_, i));
  }
  return out;
}

std::vector<std::pair<Value, Value>> Value::members() const {
  std::vector<std::pair<Value, Value>> out;
  if (kind() != NodeKind::kMap) return out;
  const std::vector<Value> by_turns = children();
  for (std::size_t i = 0; i + 1 < by_turns.size(); i += 2) {
    out.emplace_back(by_turns[i], by_turns[i + 1]);
  }
  return out;
}

std::string_view described(NodeKind kind) {
  switch (kind) {
    case NodeKind::kNull:
      return "nothing";
    case NodeKind::kPlain:
    case NodeKind::kQuoted:
      return "a single value";
    case NodeKind::kList:
      return "a list";
    case NodeKind::kMap:
      return "a map";
  }
  return "";
}

}  // namespace ebbgate::config::detail

#include "deploy/template.h"

#include <algorithm>
#include <filesystem>

#include "config/settings.h"
#include "deploy/detail/template_files.h"

namespace ebbgate::deploy {
namespace {

std::size_t indentation(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::string unquoted(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front()) {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

// `Key: value`; the value may be empty. Nothing where the line is no such thing.
struct Member {
  std::string_view key;
  std::string_view value;
};
std::optional<Member> member(std::string_view line) {
  line = trimmed(line);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with('#') || line.starts_with('-')) {
    return std::nullopt;
  }
  return Member{line.substr(0, colon), trimmed(line.substr(colon + 1))};
}

// The elements of `[a, "b"]`.
std::vector<std::string> flow_list(std::string_view text) {
  std::vector<std::string> items;
  if (!text.starts_with('[') || !text.ends_with(']')) return items;
  text = text.substr(1, text.size() - 2);
  while (!trimmed(text).empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    items.push_back(unquoted(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

class TemplateReader {
 public:
  explicit TemplateReader(Template& out) : out_(out) {}

  void read() {
    std::string_view rest = out_.text;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      take(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

 private:
  void take(std::string_view line) {
    if (trimmed(line).empty() || trimmed(line).starts_with('#')) return;
    const std::size_t depth = indentation(line);
    const auto found = member(line);
    if (depth == 0) {
      section_ = found ? std::string(found->key) : std::string();
    } else if (depth == 2 && found) {
      begin(std::string(found->key));
    } else if (depth == 4 && found) {
      key_ = found->key;
      take_member(*found);
    } else if (depth >= 4 && key_ == "AllowedValues" && trimmed(line).starts_with('-') &&
               section_ == "Parameters" && !out_.parameters.empty()) {
      out_.parameters.back().allowed.push_back(unquoted(trimmed(line).substr(1)));
    }
  }

  void begin(std::string name) {
    key_.clear();
    if (section_ == "Parameters") out_.parameters.push_back({std::move(name), {}, {}, {}});
    if (section_ == "Resources") out_.resources.push_back({std::move(name), {}});
    if (section_ == "Outputs") out_.outputs.push_back(std::move(name));
  }

  void take_member(const Member& each) {
    if (section_ == "Parameters" && !out_.parameters.empty()) {
      TemplateParameter& parameter = out_.parameters.back();
      if (each.key == "Type") parameter.type = unquoted(each.value);
      if (each.key == "Default") parameter.fallback = unquoted(each.value);
      if (each.key == "AllowedValues") parameter.allowed = flow_list(each.value);
    }
    if (section_ == "Resources" && !out_.resources.empty()) {
      TemplateResource& resource = out_.resources.back();
      if (each.key == "Type") resource.type = unquoted(each.value);
      if (each.key == "Condition") resource.is_conditional = true;
      if (each.key == "DeletionPolicy") {
        resource.is_retained = unquoted(each.value).starts_with("Retain");
      }
    }
  }

  Template& out_;
  std::string section_;
  std::string key_;
};

}  // namespace

const TemplateParameter* Template::parameter(std::string_view of) const {
  const auto found = std::ranges::find(parameters, of, &TemplateParameter::name);
  return found == parameters.end() ? nullptr : &*found;
}

Template read_template(std::string name, std::string text) {
  Template out;
  out.name = std::move(name);
  out.text = std::move(text);
  TemplateReader(out).read();
  return out;
}

const std::vector<Template>& builtin_templates() {
  static const std::vector<Template> kTemplates = [] {
    std::vector<Template> all;
    for (const detail::TemplateFile& file : detail::template_files()) {
      all.push_back(read_template(std::string(file.name), std::string(file.text)));
    }
    return all;
  }();
  return kTemplates;
}

Result<std::vector<Template>> load_templates(const std::string& folder) {
  std::vector<Template> all;
  for (const Template& builtin : builtin_templates()) {
    const auto path = (std::filesystem::path(folder) / (builtin.name + ".yaml")).string();
    auto text = config::read_file(path);
    if (!text) {
      return fail(Reason::kInternal, Side::kSelf, path + ": " + text.error());
    }
    all.push_back(read_template(builtin.name, *std::move(text)));
  }
  return all;
}

const Template* find_template(std::span<const Template> templates, std::string_view name) {
  const auto found = std::ranges::find(templates, name, &Template::name);
  return found == templates.end() ? nullptr : &*found;
}

}  // namespace ebbgate::deploy

#include "aws/detail/xml.h"

#include <expat.h>

#include <memory>
#include <new>
#include <utility>

namespace ebbgate::aws::detail {
namespace {

// What expat's calls build. An element that is open stands in `open`; its end moves it to its
// parent.
struct Builder {
  XML_Parser parser = nullptr;
  std::vector<Element> open;
  std::optional<Element> root;
  std::size_t count = 0;
  bool is_out_of_memory = false;

  void stop() { (void)XML_StopParser(parser, XML_FALSE); }
  // Exceptions must not cross expat's frames.
  template <typename Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const std::bad_alloc&) {
      is_out_of_memory = true;
      stop();
    }
  }
};

[[nodiscard]] Builder& of(void* data) {
  return *static_cast<Builder*>(data);
}

void XMLCALL on_start(void* data, const XML_Char* name, const XML_Char** /*attributes*/) {
  Builder& builder = of(data);
  if (builder.open.size() == kMaxXmlDepth || ++builder.count > kMaxXmlElements) {
    return builder.stop();
  }
  builder.guarded([&] { builder.open.push_back({name, {}, {}}); });
}

void XMLCALL on_end(void* data, const XML_Char* /*name*/) {
  Builder& builder = of(data);
  if (builder.open.empty()) return;  // after stop(), expat may still report an empty element's end
  builder.guarded([&] {
    Element ended = std::move(builder.open.back());
    builder.open.pop_back();
    if (builder.open.empty()) {
      builder.root = std::move(ended);
    } else {
      builder.open.back().children.push_back(std::move(ended));
    }
  });
}

void XMLCALL on_text(void* data, const XML_Char* text, int length) {
  Builder& builder = of(data);
  if (builder.open.empty()) return;
  builder.guarded([&] { builder.open.back().text.append(text, static_cast<std::size_t>(length)); });
}

void XMLCALL on_doctype(void* data, const XML_Char* /*name*/, const XML_Char* /*system*/,
                        const XML_Char* /*public*/, int /*has_internal_subset*/) {
  of(data).stop();
}

}  // namespace

const Element* Element::at(std::string_view path) const {
  const Element* element = this;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view step = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    const Element* found = nullptr;
    for (const Element& child : element->children) {
      if (child.name == step) {
        found = &child;
        break;
      }
    }
    if (found == nullptr) return nullptr;
    element = found;
  }
  return element;
}

std::string Element::text_at(std::string_view path) const {
  const Element* element = at(path);
  return element == nullptr ? std::string() : element->text;
}

std::vector<const Element*> Element::items(std::string_view path) const {
  std::vector<const Element*> found;
  const Element* list = at(path);
  if (list == nullptr) return found;
  for (const Element& child : list->children) {
    if (child.name == "member" || child.name == "item") found.push_back(&child);
  }
  return found;
}

std::optional<Element> parse_xml(std::string_view text) {
  if (text.size() > kMaxXmlOctets) return std::nullopt;
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
      XML_ParserCreate("UTF-8"), &XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Builder builder;
  builder.parser = parser.get();
  XML_SetUserData(parser.get(), &builder);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  const XML_Status status =
      XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
  if (builder.is_out_of_memory) throw std::bad_alloc();
  if (status != XML_STATUS_OK) return std::nullopt;
  return std::move(builder.root);
}

}  // namespace ebbgate::aws::detail

// What the services have in common: a call of one of the protocols, whose answer a function reads
// into a value. An answer that cannot be read is asked for once more: it may have been mangled on
// its way by something that answers 200 all the same.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/client.h"
#include "aws/detail/json.h"
#include "aws/detail/xml.h"

namespace ebbgate::aws::detail {

// Where an operation answers nothing of interest.
struct Nothing {};

[[nodiscard]] std::unexpected<Failure> unreadable(std::string_view operation);
// Drops the value.
[[nodiscard]] net::Task<Outcome<void>> done(net::Task<Outcome<Nothing>> task);

// `read` gives nothing where the answer lacks what it needs.
template <typename T>
using Read = std::function<std::optional<T>(const https::Response&)>;

template <typename T>
net::Task<Outcome<T>> fetch(Client& client, Call call, Deadline deadline, Read<T> read) {
  const std::string operation = call.operation;
  for (int tries = 1;; ++tries) {
    Call copy = call;
    Outcome<https::Response> response = co_await client.send(std::move(copy), deadline);
    if (!response) co_return std::unexpected(std::move(response.error()));
    std::optional<T> value = read(*response);
    if (value) co_return *std::move(value);
    if (tries == 2) co_return unreadable(operation);
  }
}

// --- JSON -----------------------------------------------------------------------------------
template <typename T>
using ReadJson = std::function<std::optional<T>(const Json&)>;

template <typename T>
[[nodiscard]] Read<T> reading_json(ReadJson<T> read) {
  return [read = std::move(read)](const https::Response& response) -> std::optional<T> {
    // Operations without output answer with no body or an empty object.
    const std::optional<Json> json =
        response.body.empty() ? std::optional(Json::object()) : parse_json(response.body);
    return json ? read(*json) : std::nullopt;
  };
}

[[nodiscard]] Call json_call(Service service, std::string operation, const Json& body);

[[nodiscard]] inline std::optional<Nothing> read_nothing(const Json& /*json*/) {
  return Nothing{};
}

// --- Query: a form goes out, XML comes back -----------------------------------------------------
class Form {
 public:
  Form(Service service, std::string operation);

  Form& add(std::string_view name, std::string_view value);
  Form& add_unless_empty(std::string_view name, std::string_view value);
  // `<name>.1`, `<name>.2`, …
  Form& add_list(const std::string& name, const std::vector<std::string>& values);
  [[nodiscard]] Call call() const;
  [[nodiscard]] const std::string& operation() const { return operation_; }

 private:
  Service service_;
  std::string operation_;
  std::string body_;
};

// In: the element `<operation>Result`, or the root where there is none (EC2).
template <typename T>
using ReadXml = std::function<std::optional<T>(const Element&)>;

// The part of an answer that holds the operation's result; null for an answer to something else.
[[nodiscard]] const Element* result_of(const Element& root, const std::string& operation);

template <typename T>
net::Task<Outcome<T>> query(Client& client, Form form, Deadline deadline, ReadXml<T> read) {
  const std::string operation = form.operation();
  Read<T> read_response =
      [operation, read = std::move(read)](const https::Response& response) -> std::optional<T> {
    const std::optional<Element> root = parse_xml(response.body);
    const Element* result = root ? result_of(*root, operation) : nullptr;
    return result == nullptr ? std::nullopt : read(*result);
  };
  return fetch<T>(client, form.call(), deadline, std::move(read_response));
}

[[nodiscard]] inline std::optional<Nothing> read_no_result(const Element& /*result*/) {
  return Nothing{};
}

// One page: its rows, and the token of the next, empty at the end.
template <typename T>
struct Page {
  std::vector<T> rows;
  std::string next;
};

// All the rows of a list that comes in pages; `read` makes a row of one element of the list there.
// A list of more than 200 pages, or one whose token repeats, is an answer that cannot be read.
// `is_enough` may end it early.
template <typename T>
net::Task<Outcome<std::vector<T>>> query_list(
    Client& client, Form form, std::string list, Deadline deadline,
    std::function<T(const Element&)> read,
    std::function<bool(const std::vector<T>&)> is_enough = nullptr) {
  ReadXml<Page<T>> read_page = [list, read](const Element& result) -> std::optional<Page<T>> {
    Page<T> page;
    for (const Element* item : result.items(list)) page.rows.push_back(read(*item));
    page.next = result.text_at("NextToken");
    if (page.next.empty()) page.next = result.text_at("nextToken");  // EC2
    return page;
  };
  std::vector<T> rows;
  std::string token;
  for (int pages = 0; pages < 200; ++pages) {
    Form asked = form;
    asked.add_unless_empty("NextToken", token);
    net::Task<Outcome<Page<T>>> task =
        query<Page<T>>(client, std::move(asked), deadline, read_page);
    Outcome<Page<T>> page = co_await task;
    if (!page) co_return std::unexpected(std::move(page.error()));
    for (T& row : page->rows) rows.push_back(std::move(row));
    if (page->next.empty() || (is_enough && is_enough(rows))) co_return rows;
    if (page->next == token) break;
    token = std::move(page->next);
  }
  co_return unreadable(form.operation());
}

}  // namespace ebbgate::aws::detail

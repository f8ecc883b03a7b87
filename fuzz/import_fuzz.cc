// fuzz-deps: base policy config analyse
// What `ebbgate import` reads was written by strangers to us: whatever it is, the documents that
// come out are read without an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "analyse/import.h"
#include "config/document_yaml.h"
#include "policy/policy.h"

namespace {

using ebbgate::analyse::Imported;
using ebbgate::analyse::ImportedFile;

void check(const Imported& imported) {
  if (imported.text.empty()) return;
  auto parsed = ebbgate::config::parse_documents(imported.text, "imported.yaml");
  if (ebbgate::policy::has_errors(parsed.problems)) std::abort();
  if (!ebbgate::policy::Policy::compile(std::move(parsed.documents)).policy) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const ImportedFile file{"conf", text};
  const auto read =
      [&](const std::string& path) -> std::expected<std::vector<ImportedFile>, std::string> {
    return std::vector{ImportedFile{path, "a.example\n.b.example\n"}};
  };
  switch (data[0] % 3) {
    case 0:
      check(import_squid(file, read));
      break;
    case 1:
      check(import_smokescreen(file, {{"r", {*ebbgate::Cidr::parse("10.0.0.0/8")}}}));
      break;
    default:
      check(import_tinyproxy(file, read));
  }
  return 0;
}

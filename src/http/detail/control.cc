#include "http/detail/control.h"

#include "http/detail/text.h"

namespace ebbgate::http::detail {
namespace {

// More would let a small head cost much: each option is compared with each field.
constexpr int kMaxOptions = 32;

// Fields that Connection may not take away: where the message ends and whom it is for, and what
// keeps messages from going round for ever. Transfer-Encoding may be named, and some origins do: it
// is made anew for the next connection in any case.
bool must_go_on(FieldId id) {
  return id == FieldId::kHost || id == FieldId::kContentLength || id == FieldId::kVia ||
         id == FieldId::kMaxForwards;
}

Result<void> read_connection(std::string_view list, int& options, Control& control, Fields& fields,
                             const Blame& blame) {
  while (const auto option = next_element(list)) {
    if (!is_token(*option)) return blame("an option of the Connection field is no token");
    if (++options > kMaxOptions) return blame("the Connection field has more than 32 options");
    if (same_token(*option, "close")) {
      control.close = true;
    } else if (same_token(*option, "keep-alive")) {
      control.keep_alive = true;
    } else if (same_token(*option, "upgrade")) {
      control.connection_upgrade = true;
    } else if (must_go_on(field_id(*option))) {
      return blame("the Connection field names a field that is not the connection's");
    } else {
      fields.end_here(*option);
    }
  }
  return {};
}

}  // namespace

Result<Control> read_control(Fields& fields, Version version, const Blame& blame) {
  Control control;
  bool transfer_encoding = false;
  int options = 0;
  for (const Field field : fields.all()) {
    switch (field.id) {
      case FieldId::kContentLength:
        if (control.content_length) return blame("there is more than one Content-Length");
        control.content_length = parse_decimal(field.value);
        if (!control.content_length) {
          return blame("Content-Length is not one decimal number of at most 2^63-1");
        }
        break;
      case FieldId::kTransferEncoding:
        if (version == Version::kHttp10) return blame("HTTP/1.0 has no Transfer-Encoding");
        if (transfer_encoding) return blame("there is more than one Transfer-Encoding");
        transfer_encoding = true;
        control.chunked = same_token(field.value, "chunked");
        if (!control.chunked) return blame("the transfer coding is not chunked, once and alone");
        break;
      case FieldId::kConnection:
        if (auto read = read_connection(field.value, options, control, fields, blame); !read) {
          return std::unexpected(std::move(read.error()));
        }
        break;
      case FieldId::kUpgrade:
        if (same_token(field.value, "websocket") && !control.upgrade_websocket) {
          control.upgrade_websocket = true;
        } else {
          control.upgrade_other = true;
        }
        break;
      default:
        break;
    }
  }
  if (control.chunked && control.content_length) {
    return blame("there is both a Content-Length and a Transfer-Encoding");
  }
  return control;
}

}  // namespace ebbgate::http::detail

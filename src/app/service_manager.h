// What systemd is told (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names.
#pragma once

#include <string_view>

namespace ebbgate::app {

// `state`: lines of VARIABLE=value, such as "READY=1". Nothing happens without NOTIFY_SOCKET.
void tell_service_manager(std::string_view state);

}  // namespace ebbgate::app

#include "deploy/kube/node_setup.h"

#include <string_view>

namespace ebbgate::deploy {
namespace {

constexpr std::string_view kBegin = R"(#!/bin/sh
# Makes this node use the proxy: containerd, the kubelet, k3s, apt and dnf. It may be run at every
# boot: what is as it should be stays, and only what has changed is restarted.
# usage: node-setup.sh [ROOT]   ROOT: work below that folder, and restart nothing
set -eu
root=${1:-}
changed=''

# put FILE TEXT: makes FILE that text; `wrote` says whether it was not.
put() {
  wrote=''
  if [ -f "$root$1" ] && printf '%s\n' "$2" | cmp -s - "$root$1"; then return; fi
  mkdir -p "$root${1%/*}"
  printf '%s\n' "$2" >"$root$1.new"
  chmod 0644 "$root$1.new"
  mv "$root$1.new" "$root$1"
  wrote=yes
  echo "wrote $1"
}

has_unit() {
  for folder in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    if [ -e "$root$folder/$1.service" ]; then return 0; fi
  done
  return 1
}

unit_text=$(cat <<'END'
# Written by node-setup; changes are lost.
[Service]
)";

constexpr std::string_view kUnits = R"(END
)
for unit in containerd kubelet k3s k3s-agent; do
  case $unit in k3s*) has_unit "$unit" || continue ;; esac
  put "/etc/systemd/system/$unit.service.d/90-ebbgate-proxy.conf" "$unit_text"
  if [ -n "$wrote" ]; then changed="$changed $unit"; fi
done

apt_text=$(cat <<'END'
// Written by node-setup; changes are lost.
)";

constexpr std::string_view kDnf = R"(END
)
if [ -d "$root/etc/apt" ]; then put /etc/apt/apt.conf.d/90-ebbgate-proxy "$apt_text"; fi

# In [main], which is there or is made; other settings stay as they are.
for file in /etc/dnf/dnf.conf /etc/yum.conf; do
  if [ ! -f "$root$file" ] || [ -L "$root$file" ]; then continue; fi
  text=$(awk '
    function give() { if (!given) print "proxy=@PROXY@"; given = 1 }
    /^[ \t]*\[/ { if (in_main) give(); in_main = ($0 ~ /^[ \t]*\[main\]/); seen = seen || in_main }
    in_main && /^[ \t]*proxy[ \t]*=/ { give(); next }
    { print }
    END { if (!seen) print "[main]"; give() }
  ' "$root$file")
  put "$file" "$text"
done

if [ -z "$root" ] && [ -n "$changed" ]; then
  systemctl daemon-reload
  for unit in $changed; do
    systemctl try-restart "$unit.service"
  done
fi
)";

// A value for a quoted string of a systemd unit (systemd.syntax(7), and % as in systemd.unit(5)).
std::string for_unit(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '%') out += '%';
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string node_setup(const ProxyEnvironment& environment) {
  std::string out(kBegin);
  const auto add = [&](std::string_view name, const std::string& value) {
    out += "Environment=\"" + std::string(name) + "=" + for_unit(value) + "\"\n";
  };
  for (const std::string_view name : kProxyVariables) add(name, environment.proxy);
  for (const std::string_view name : kNoProxyVariables) add(name, environment.no_proxy);
  out += kUnits;
  for (const std::string_view scheme : {"http", "https"}) {
    out += "Acquire::" + std::string(scheme) + "::Proxy \"" + environment.proxy + "\";\n";
  }
  std::string dnf(kDnf);
  constexpr std::string_view variable = "@PROXY@";
  dnf.replace(dnf.find(variable), variable.size(), environment.proxy);
  return out + dnf;
}

}  // namespace ebbgate::deploy

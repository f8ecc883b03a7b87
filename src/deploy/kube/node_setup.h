// Proxy settings for a node that EKS did not set up: a shell script that can be run at every boot.
#pragma once

#include <string>

#include "deploy/kube/manifests.h"

namespace ebbgate::deploy {

// A POSIX shell script for root that makes containerd, the kubelet, k3s, apt and dnf use the proxy;
// run again, it changes nothing. With an argument it works below that folder and restarts nothing.
[[nodiscard]] std::string node_setup(const ProxyEnvironment& environment);

}  // namespace ebbgate::deploy

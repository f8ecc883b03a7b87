// The gateway's own address: one of the fleet's Elastic IPs, claimed so that no two gateways ever
// share one and none is taken from a live peer. EC2 itself decides who gets it (AssociateAddress
// without reassociation is atomic); who loses tries the next.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "aws/client.h"
#include "aws/ec2.h"
#include "fleet/say.h"
#include "observe/metrics.h"

namespace ebbgate::fleet {

struct AddressTag {
  std::string key;
  std::string value;
};

// What to do about the fleet's addresses as EC2 lists them.
struct AddressChoice {
  std::string held;                     // the address that the instance has already, or empty
  std::vector<aws::ec2::Address> free;  // to try, in an order of chance
};
[[nodiscard]] AddressChoice choose_address(std::vector<aws::ec2::Address> addresses,
                                           const std::string& instance_id,
                                           const std::function<std::uint64_t()>& random);

class ElasticAddress {
 public:
  // All outlive it; it outlives its coroutine.
  ElasticAddress(aws::Client& client, AddressTag tag, std::string instance_id,
                 observe::FleetMetrics& metrics, Say say);

  // Ends when the gateway has an address, or at the hard stop.
  [[nodiscard]] net::Task<void> claim();

  [[nodiscard]] bool is_claimed() const { return !address_.empty(); }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  // The address; empty where there is none now; why it cannot be had.
  [[nodiscard]] net::Task<aws::Outcome<std::string>> try_once();
  void say_once(std::string line);

  aws::Client* client_;
  AddressTag tag_;
  std::string instance_id_;
  observe::FleetMetrics* metrics_;
  Say say_;
  std::string address_;
  std::string last_said_;
};

}  // namespace ebbgate::fleet

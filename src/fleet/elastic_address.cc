#include "fleet/elastic_address.h"

#include <chrono>
#include <utility>

#include "fleet/backoff.h"

namespace ebbgate::fleet {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(20);

}  // namespace

AddressChoice choose_address(std::vector<aws::ec2::Address> addresses,
                             const std::string& instance_id,
                             const std::function<std::uint64_t()>& random) {
  AddressChoice choice;
  for (aws::ec2::Address& address : addresses) {
    if (!address.instance_id.empty() && address.instance_id == instance_id) {
      choice.held = address.public_ip;
      return choice;
    }
    if (address.association_id.empty() && address.instance_id.empty() &&
        address.network_interface_id.empty()) {
      choice.free.push_back(std::move(address));
    }
  }
  // Gateways that start together would otherwise all try the first one, then the second one, ….
  for (std::size_t left = choice.free.size(); left > 1; --left) {
    std::swap(choice.free[left - 1], choice.free[random() % left]);
  }
  return choice;
}

ElasticAddress::ElasticAddress(aws::Client& client, AddressTag tag, std::string instance_id,
                               observe::FleetMetrics& metrics, Say say)
    : client_(&client),
      tag_(std::move(tag)),
      instance_id_(std::move(instance_id)),
      metrics_(&metrics),
      say_(std::move(say)) {}

net::Task<void> ElasticAddress::claim() {
  net::Loop& loop = client_->context().loop;
  for (Backoff backoff(std::chrono::seconds(1), std::chrono::seconds(20));;) {
    net::Task<aws::Outcome<std::string>> trying = try_once();
    auto address = co_await trying;
    if (address && !address->empty()) {
      address_ = std::move(*address);
      metrics_->address_claimed.set(1);
      say_("aws: this gateway's address is " + address_);
      co_return;
    }
    say_once(address ? "aws: none of the addresses tagged " + tag_.key + "=" + tag_.value +
                           " is free; asking again"
                     : "aws: no address: " + address.error().describe("ec2") + "; asking again");
    const Deadline wake = loop.after(backoff.next(client_->context().random()));
    if (co_await net::sleep_until(loop, wake) == net::Wait::End::kStopped) co_return;
  }
}

net::Task<aws::Outcome<std::string>> ElasticAddress::try_once() {
  aws::ec2::Filters filters;
  filters.push_back({"tag:" + tag_.key, {tag_.value}});
  const auto deadline = [this] { return client_->context().loop.after(kCallTimeout); };
  net::Task<aws::Outcome<std::vector<aws::ec2::Address>>> listing =
      aws::ec2::describe_addresses(*client_, std::move(filters), deadline());
  auto addresses = co_await listing;
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  const AddressChoice choice =
      choose_address(std::move(*addresses), instance_id_, client_->context().random);
  if (!choice.held.empty()) co_return choice.held;
  for (const aws::ec2::Address& address : choice.free) {
    net::Task<aws::Outcome<std::string>> associating =
        aws::ec2::associate_address(*client_, address.allocation_id, instance_id_, deadline());
    auto association = co_await associating;
    if (association) co_return address.public_ip;
    if (!aws::ec2::is_address_taken(association.error())) {
      co_return std::unexpected(std::move(association.error()));
    }
    metrics_->address_losses.add();
  }
  co_return std::string();
}

void ElasticAddress::say_once(std::string line) {
  if (line == last_said_) return;
  say_(line);
  last_said_ = std::move(line);
}

}  // namespace ebbgate::fleet

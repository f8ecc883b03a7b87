// What `ebbgate eks` asks of the cluster itself before it tells the fleet of it (`gateway: {kube:
// true}`): gateways that cannot read their policies there never get ready, and the nodes need them.
#pragma once

#include "app/eks_job.h"

namespace ebbgate::app {

// Into `facts`: what the fleet is to be told. One that is told already stays so; the API is asked
// otherwise, as whoever runs this, if the cluster stands. That it cannot be asked from here is no
// error: the fleet stays as it is, and `facts` say why. `is_new`: the cluster was made by this run,
// so that nobody can have prepared it. Error: of CloudFormation.
[[nodiscard]] net::Task<aws::Outcome<void>> learn_prepared(AwsSession& session, const EksJob& job,
                                                           deploy::Facts& facts, bool is_new);

}  // namespace ebbgate::app

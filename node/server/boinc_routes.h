// SPDX-License-Identifier: Apache-2.0
// The paths below /v1/boinc/: receipts of assimilators, bindings of project accounts, claims (docs/boinc-credit.md).
#pragma once

#include "base/http/server.h"
#include "node/credit/adapter.h"
#include "node/server/auth.h"

namespace sparkmill::node {

struct BoincContext {
  Ledger* ledger = nullptr;
  credit::Adapter* adapter = nullptr;
  const NodeTime* time = nullptr;
  Identity identity;
};

class BoincRoutes {
 public:
  explicit BoincRoutes(BoincContext context) : c_(context) {}
  void install(http::Server& server);

 private:
  http::Response receipts(const http::Request& request);
  http::Response bind(const http::Request& request);
  http::Response bindings(const http::Request& request);
  http::Response claims(const http::Request& request);

  BoincContext c_;
};

}  // namespace sparkmill::node

// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/boinc_bind.h"

#include <cstdio>

#include "base/file.h"
#include "base/hex.h"
#include "worker/cli/command.h"
#include "worker/cli/key_access.h"
#include "worker/source/node_client.h"

namespace sparkmill::cli {

namespace {

constexpr std::uint64_t kPageLimit = 1u << 20;

/// Sends the binding; a key that the node does not know yet is registered first. Registering always would take away
/// the name and the devices that a running worker has told.
Result<protocol::BoincBindingInfo> send(worker::NodeClient& client, const config::Config& config,
                                        const protocol::BoincBinding& binding) {
  auto bound = client.bind_account(binding);
  if (bound || bound.status() != Status::not_found) return bound;
  SPARKMILL_TRY(client.enlist(config.text("name"), {}));
  return client.bind_account(binding);
}

Result<std::string> text_to_sign(worker::NodeClient& client, const BindOrder& order,
                                 const std::function<Result<std::string>()>& local_cpid) {
  std::string hex = order.cpid;
  if (hex.empty()) {
    SPARKMILL_ASSIGN(hex, local_cpid());
  }
  SPARKMILL_ASSIGN(const Id16 cpid, array_from_hex<16>(hex, "CPID"));
  return client.ownership_text(cpid);
}

Done bind(const config::Config& config, const BindOrder& order,
          const std::function<Result<std::string>()>& local_cpid) {
  SPARKMILL_TRY(protocol::check_project_url(order.project));
  if (config.text("node").empty()) {
    return fail(Status::bad_argument, "bind needs the node that shall credit the account",
                "--node URL, or `node` in the configuration");
  }
  protocol::BoincBinding binding;
  if (!order.proof.empty()) {
    SPARKMILL_ASSIGN(const std::string page, read_text_file(order.proof, kPageLimit));
    SPARKMILL_ASSIGN(binding, protocol::binding_from_page(page));
    if (binding.project != order.project) {
      return fail(Status::bad_input, order.proof + ": is of " + binding.project + ", not of " + order.project);
    }
  }
  SPARKMILL_ASSIGN(const keys::KeyFile key, open_key(config));
  const worker::KeyMemory none{
      [](const std::string&) -> Result<std::optional<keys::PublicKey>> { return {std::nullopt}; },
      [](const std::string&, const keys::PublicKey&) { return done(); }};
  SPARKMILL_ASSIGN(const auto link, worker::NodeLink::make({config.text("node"), config.path("ca_file"), {}, {}}, key,
                                                           none, system_clock()));
  worker::NodeClient client(link);
  if (order.proof.empty()) {
    SPARKMILL_ASSIGN(const std::string text, text_to_sign(client, order, local_cpid));
    std::printf("%s\n", text.c_str());
    std::fprintf(
        stderr,
        "Let the project sign this line: log in, open %saccount_ownership.php, paste it, and save the box that "
        "it shows.\nThen: sparkmill boinc bind %s --proof FILE\n",
        order.project.c_str(), order.project.c_str());
    return done();
  }
  SPARKMILL_ASSIGN(const protocol::BoincBindingInfo info, send(client, config, binding));
  std::printf("user %llu of %s: %s%s%s\n", static_cast<unsigned long long>(info.user_id), info.project.c_str(),
              std::string(name(info.state)).c_str(), info.reason.empty() ? "" : ", ", info.reason.c_str());
  return done();
}

}  // namespace

int run_boinc_bind(const config::Config& config, const BindOrder& order,
                   const std::function<Result<std::string>()>& local_cpid) {
  const Done bound = bind(config, order, local_cpid);
  return bound ? 0 : report("boinc", bound.error());
}

}  // namespace sparkmill::cli

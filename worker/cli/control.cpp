// SPDX-License-Identifier: Apache-2.0
// `sparkmill pause`, `resume` and `finish`: the write verbs of the running worker's API.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "worker/api/api.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/local_api.h"

namespace sparkmill::cli {

namespace {

constexpr OwnOption kPauseOwn[] = {
    {"for", "TIME", "end the pause after this long: 90s, 15m, 2h, 1d"},
    {"until", "HH:MM", "end the pause at this time of day"},
    {"api", "URL", "address of the worker's API"},
};
constexpr OwnOption kOtherOwn[] = {{"api", "URL", "address of the worker's API"}};
constexpr Usage kPause{"pause",
                       "[DEVICE]",
                       "Pauses all devices, or the one named by its id. Work in progress is kept; a pause never ends "
                       "earlier than it said.",
                       kPauseOwn,
                       1,
                       true};
constexpr Usage kResume{"resume",  "[DEVICE]", "Ends the pause of all devices, or of the one named.",
                        kOtherOwn, 1,          true};
constexpr Usage kFinish{
    "finish",  "", "Takes no new work, delivers what is in hand, then the worker ends with exit code 0.",
    kOtherOwn, 0,  true};

Result<nlohmann::json> body_of(const Args& args) {
  nlohmann::json body = nlohmann::json::object();
  if (!args.words.empty()) body["device"] = args.words[0];
  if (args.has("for") && args.has("until")) {
    return fail(Status::bad_argument, "--for and --until exclude each other", "sparkmill help pause");
  }
  if (args.has("for")) {
    SPARKMILL_ASSIGN(body["for_s"], worker::parse_duration_s(args.get("for")));
  }
  if (args.has("until")) {
    SPARKMILL_ASSIGN(body["until"], worker::parse_clock_time(args.get("until"), system_clock().unix_ms()));
  }
  return body;
}

int post(const Usage& usage, std::span<const std::string> args, const std::string& done_text) {
  const auto parsed = parse_args(usage, args);
  if (!parsed) return report(usage.verb, parsed.error());
  if (parsed->help) return 0;
  const auto body = body_of(*parsed);
  if (!body) return report(usage.verb, body.error());
  const auto config = config::load(parsed->inputs);
  if (!config) return report(usage.verb, config.error());
  auto url = api_url(*config, parsed->get("api"));
  if (!url) return report(usage.verb, url.error());
  LocalApi api(std::move(*url), config->path("api.token_file"));
  const auto answer = api.post("/v1/" + std::string(usage.verb), body->dump());
  if (!answer) return report(usage.verb, answer.error());
  const std::string device = parsed->words.empty() ? "" : " (" + parsed->words[0] + ")";
  std::printf("%s%s\n", done_text.c_str(), device.c_str());
  return 0;
}

}  // namespace

int run_pause(std::span<const std::string> args) { return post(kPause, args, "paused"); }
int run_resume(std::span<const std::string> args) { return post(kResume, args, "resumed"); }
int run_finish(std::span<const std::string> args) {
  return post(kFinish, args, "finishing: no new work is taken; the worker ends when everything is delivered");
}

}  // namespace sparkmill::cli

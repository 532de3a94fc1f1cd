// SPDX-License-Identifier: Apache-2.0
// Vector files of hashes: cases with "msg" and digests in hex, chains of digests of digests, one big message by rule.
// The double SHA-256 column is checked on the host rows' SHA-256 of SHA-256.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hex.h"
#include "kernels/hash/hash.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;
using hashes::Algorithm;

constexpr std::size_t kMostIterations = 10'000'000;

struct Case {
  std::string name;
  Bytes expected;
};

/// The cases of one algorithm, as one batch.
struct List {
  Algorithm algorithm;
  Bytes messages;
  std::vector<std::uint64_t> offsets{0};
  std::vector<Case> cases;
};

struct Chain {
  Algorithm algorithm;
  std::string name;
  Bytes start, result;
  std::size_t iterations;
};

Result<Bytes> digest_of(const Json& j, const char* key, Algorithm a) {
  SPARKMILL_ASSIGN(Bytes digest, from_hex(j.at(key).get_ref<const std::string&>(), key));
  if (digest.size() != hashes::digest_bytes(a))
    return fail(Status::bad_input, std::string(key) + ": a digest of " + std::string(hashes::name(a)) + " has " +
                                       std::to_string(hashes::digest_bytes(a)) + " bytes, this one " +
                                       std::to_string(digest.size()));
  return digest;
}

void add(List& list, ByteView message, std::string name, Bytes expected) {
  list.messages.insert(list.messages.end(), message.begin(), message.end());
  list.offsets.push_back(list.messages.size());
  list.cases.push_back({std::move(name), std::move(expected)});
}

/// byte i = (7 i + (i >> 8)) & 255, one MiB: the file's own words.
Result<Bytes> big_message(const Json& big) {
  constexpr std::string_view kRule = "byte i = (7*i + (i>>8)) & 255, 1 MiB";
  if (big.at("rule").get_ref<const std::string&>() != kRule)
    return fail(Status::bad_input, "big: unknown rule", "known: " + std::string(kRule));
  Bytes bytes(1 << 20);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(7 * i + (i >> 8));
  return bytes;
}

/// Members of a case that are no digest of it.
constexpr const char* kPlain[] = {"len", "msg", "why", "id", "tcId"};
constexpr const char* kTwice = "sha256d";

bool known(std::string_view member) {
  return member == kTwice ||
         std::any_of(std::begin(kPlain), std::end(kPlain), [&](const char* k) { return member == k; }) ||
         std::any_of(hashes::kAlgorithms.begin(), hashes::kAlgorithms.end(),
                     [&](Algorithm a) { return member == hashes::name(a); });
}

/// Digests and chains of hashes that this build does not have: their number, and names.
struct Others {
  unsigned count = 0;
  std::set<std::string> names;
  void add(const std::string& name) {
    ++count;
    names.insert(name.substr(0, 40));
  }
};

Result<Others> others(const Json& root) {
  Others out;
  SPARKMILL_TRY(each_case(root, [&](const Json& c, const std::string&) -> Done {
    SPARKMILL_ASSIGN(const Bytes message, from_hex(c.at("msg").get_ref<const std::string&>(), "msg"));
    const auto length = c.find("len");
    if (length != c.end() && *length != message.size()) {
      return fail(Status::bad_input,
                  "len is " + length->dump() + ", msg has " + std::to_string(message.size()) + " bytes");
    }
    for (const auto& [member, value] : c.items()) {
      if (!known(member)) out.add(member);
    }
    return done();
  }));
  if (const auto chains = root.find("chains"); chains != root.end()) {
    for (const Json& c : *chains) {
      const auto name = c.at("name").get<std::string>();
      if (!known(name) || name == kTwice) out.add("chain of " + name);
    }
  }
  return out;
}

Result<std::vector<List>> lists(const Json& root) {
  std::vector<List> all;
  for (const Algorithm a : hashes::kAlgorithms) {
    List list{a, {}, {0}, {}};
    const std::string column(hashes::name(a));
    for (const Json& c : root.at("cases")) {
      if (!c.contains(column)) continue;
      SPARKMILL_ASSIGN(const Bytes message, from_hex(c.at("msg").get_ref<const std::string&>(), "msg"));
      SPARKMILL_ASSIGN(Bytes expected, digest_of(c, column.c_str(), a));
      add(list, message, column + " of " + std::to_string(message.size()) + " bytes", std::move(expected));
    }
    if (const auto big = root.find("big"); big != root.end() && big->contains(column)) {
      SPARKMILL_ASSIGN(const Bytes message, big_message(*big));
      SPARKMILL_ASSIGN(Bytes expected, digest_of(*big, column.c_str(), a));
      add(list, message, column + " of a MiB", std::move(expected));
    }
    if (!list.cases.empty()) all.push_back(std::move(list));
  }
  return all;
}

Result<std::vector<Chain>> chains(const Json& root) {
  std::vector<Chain> all;
  const auto found = root.find("chains");
  if (found == root.end()) return all;
  for (const Json& c : *found) {
    const auto name = c.at("name").get<std::string>();
    const auto iterations = c.at("iterations").get<std::size_t>();
    if (iterations > kMostIterations) return fail(Status::bad_input, "chain " + name + ": too many iterations");
    for (const Algorithm a : hashes::kAlgorithms) {
      if (name != hashes::name(a)) continue;
      SPARKMILL_ASSIGN(Bytes start, digest_of(c, "start", a));
      SPARKMILL_ASSIGN(Bytes result, digest_of(c, "result", a));
      all.push_back({a, name, std::move(start), std::move(result), iterations});
    }
  }
  return all;
}

void run_list(hashes::Kernel& kernel, const List& list, VectorResult& result) {
  const std::size_t each = hashes::digest_bytes(list.algorithm);
  Bytes digests(list.cases.size() * each);
  const Done hashed = kernel.hash(list.algorithm, {list.messages, list.offsets}, digests, StopToken());
  for (std::size_t i = 0; i < list.cases.size(); ++i) {
    const bool equal = hashed && std::equal(digests.begin() + static_cast<std::ptrdiff_t>(i * each),
                                            digests.begin() + static_cast<std::ptrdiff_t>((i + 1) * each),
                                            list.cases[i].expected.begin());
    count_case(result, list.cases[i].name, !hashed ? hashed.error().message : equal ? "" : "digest differs");
  }
}

void run_chain(hashes::Kernel& kernel, const Chain& chain, VectorResult& result) {
  Bytes link = chain.start, next(link.size());
  const std::vector<std::uint64_t> offsets{0, link.size()};
  Done hashed = done();
  for (std::size_t i = 0; i < chain.iterations && hashed; ++i) {
    hashed = kernel.hash(chain.algorithm, {link, offsets}, next, StopToken());
    std::swap(link, next);
  }
  count_case(result, "chain " + chain.name,
             !hashed                ? hashed.error().message
             : link == chain.result ? ""
                                    : "the last digest differs");
}

/// "sha256d": SHA-256 twice.
void run_twice(hashes::Kernel& kernel, const Json& root, VectorResult& result) {
  for (const Json& c : root.at("cases")) {
    if (!c.contains("sha256d")) continue;
    const auto message = from_hex(c.at("msg").get_ref<const std::string&>(), "msg");
    Bytes once(32), twice(32);
    const std::vector<std::uint64_t> first{0, message ? message->size() : 0}, second{0, 32};
    const bool ran = message && kernel.hash(Algorithm::sha256, {*message, first}, once, StopToken()) &&
                     kernel.hash(Algorithm::sha256, {once, second}, twice, StopToken());
    count_case(result, "sha256d",
               !ran                                                             ? "not computed"
               : to_hex(twice) == c.at("sha256d").get_ref<const std::string&>() ? ""
                                                                                : "digest differs");
  }
}

}  // namespace

Result<std::vector<VectorResult>> run_hash_vectors(const Json& root, const VectorContext& context) {
  SPARKMILL_ASSIGN(const Others unknown, others(root));
  SPARKMILL_ASSIGN(const std::vector<List> all, lists(root));
  SPARKMILL_ASSIGN(const std::vector<Chain> links, chains(root));
  std::string not_here;
  for (const std::string& name : unknown.names) not_here += (not_here.empty() ? "not in this build: " : ", ") + name;
  std::size_t count = links.size() + unknown.count;
  for (const List& list : all) count += list.cases.size();
  for (const Json& c : root.at("cases")) count += c.contains("sha256d") ? 1 : 0;
  return on_rows(kernels::Family::hash, context, static_cast<unsigned>(count),
                 [&](kernels::Kernel& kernel, const std::string& name) {
                   VectorResult result{name, 0, 0, 0, {}};
                   auto& hash = dynamic_cast<hashes::Kernel&>(kernel);
                   for (const List& list : all) run_list(hash, list, result);
                   run_twice(hash, root, result);
                   const bool on_device =
                       name.find("opencl") != std::string::npos || name.find("cuda") != std::string::npos;
                   for (const Chain& chain : links) {
                     if (!on_device) {
                       run_chain(hash, chain, result);
                       continue;
                     }
                     ++result.skipped;  // a launch a link
                     if (result.skipped == 1) note(result, "chains of single digests are for processors");
                   }
                   result.skipped += unknown.count;
                   note(result, not_here);
                   return result;
                 });
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/match_output.h"

#include <cerrno>
#include <cstdio>

namespace sparkmill::cli {

namespace {

constexpr std::size_t kFlushBytes = 1u << 16;

Done put(std::string& buffer) {
  errno = 0;
  const bool written =
      std::fwrite(buffer.data(), 1, buffer.size(), stdout) == buffer.size() && std::fflush(stdout) == 0;
  buffer.clear();
  return written ? done() : Done(errno_error(errno != 0 ? errno : EIO, "standard output"));
}

}  // namespace

std::vector<std::int64_t> leaf_scores(const Inputs& inputs, const match::Predicate& predicate, match::Pair pair) {
  std::vector<std::int64_t> out;
  for (const match::Leaf& leaf : predicate.leaves()) {
    const match::Planes& r = inputs.requests[leaf.field].planes;
    const match::Planes& u = inputs.users[leaf.field].planes;
    out.push_back(leaf.score(match::score_word(r.row(pair.i), u.row(pair.j), r.n)));
  }
  return out;
}

std::vector<std::string> leaf_labels(const match::Predicate& predicate, std::span<const std::string> names) {
  std::vector<std::string> out;
  for (const match::Leaf& leaf : predicate.leaves()) {
    std::string label = names[leaf.field] + ".dot";
    if (leaf.w1 == 0 && leaf.w2 == 1) {
      label = "-" + names[leaf.field] + ".valid";
    } else if (leaf.w2 != 0 || leaf.w1 != 1) {
      label = names[leaf.field] + ".frac(" + std::to_string(leaf.w2) + "/" + std::to_string(leaf.w1) + ")";
    }
    out.push_back(std::move(label));
  }
  return out;
}

Done write_pairs(const Inputs& inputs, const match::Predicate& predicate, std::span<const match::Pair> pairs,
                 PairFormat format) {
  std::string buffer;
  if (format == PairFormat::csv) {
    buffer = "request,user";
    for (const std::string& label : leaf_labels(predicate, inputs.names)) buffer += "," + label;
    buffer += "\n";
  }
  for (const match::Pair p : pairs) {
    std::string scores;
    for (const std::int64_t s : leaf_scores(inputs, predicate, p)) {
      scores += (scores.empty() ? "" : ",") + std::to_string(s);
    }
    if (format == PairFormat::csv) {
      buffer += std::to_string(p.i) + "," + std::to_string(p.j) + "," + scores + "\n";
    } else {
      buffer += "{\"request\":" + std::to_string(p.i) + ",\"user\":" + std::to_string(p.j) + ",\"scores\":[" + scores +
                "]}\n";
    }
    if (buffer.size() >= kFlushBytes) SPARKMILL_TRY(put(buffer));
  }
  return put(buffer);
}

}  // namespace sparkmill::cli

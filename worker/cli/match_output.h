// SPDX-License-Identifier: Apache-2.0
// Matched pairs with the score of each leaf, as JSON lines or CSV.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/match/predicate.h"
#include "worker/cli/offline.h"

namespace sparkmill::cli {

enum class PairFormat { jsonl, csv };

/// Leaf scores of a pair, in leaf order.
std::vector<std::int64_t> leaf_scores(const Inputs& inputs, const match::Predicate& predicate, match::Pair pair);

/// "face.dot", "voice.frac(2/7)", "-face.valid": what each score column is.
std::vector<std::string> leaf_labels(const match::Predicate& predicate, std::span<const std::string> names);

/// JSON line {"request":3,"user":70,"scores":[612]}; CSV line 3,70,612 under a heading of the labels.
/// Error: io_error when stdout does not take it.
Done write_pairs(const Inputs& inputs, const match::Predicate& predicate, std::span<const match::Pair> pairs,
                 PairFormat format);

}  // namespace sparkmill::cli

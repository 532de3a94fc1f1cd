// SPDX-License-Identifier: Apache-2.0
// Ranges of nonces as jobs of their own, and what is to be expected of a range.
#include <algorithm>
#include <cmath>

#include "verify/job/tensority_search.h"

namespace sparkmill::job {
namespace {

/// An honest search fails the count test this rarely.
inline constexpr double kFalseAlarm = 1e-9;

/// target / 2^256.
double share_of(const Hash32& target) {
  double share = 0;
  for (const std::uint8_t byte : target) share = (share + byte) / 256;
  return share;
}

}  // namespace

Result<NonceReport> merge_reports(std::uint64_t first, std::uint64_t count, std::vector<NonceReport> parts) {
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  NonceReport whole;
  whole.first = first;
  for (const NonceReport& part : parts) {
    if (part.first != whole.first + whole.count) {
      return fail(Status::bad_input, "nonce slices do not cover the range once: a gap or overlap at nonce " +
                                         std::to_string(whole.first + whole.count));
    }
    if (whole.count == 0 || !tensority::meets(whole.best.result, part.best.result)) whole.best = part.best;
    whole.hits.insert(whole.hits.end(), part.hits.begin(), part.hits.end());
    whole.count += part.count;
  }
  if (whole.count != count) return fail(Status::bad_input, "nonce slices end before the range does");
  return whole;
}

Result<std::vector<Piece>> split_tensority(const Job& whole, BlobSource&, std::uint64_t target_units, const KeepBlob&) {
  if (!whole.blobs.empty()) return fail(Status::bad_input, "tensority: a search has no blobs");
  SPARKMILL_ASSIGN(const TensorityParams params, decode_tensority_params(whole.params));
  const std::uint64_t size = std::max<std::uint64_t>(1, target_units);
  if ((params.count - 1) / size >= kMaxPieces) {
    return fail(Status::too_large, "tensority: more than " + std::to_string(kMaxPieces) + " pieces",
                "ask for larger units");
  }
  std::vector<Piece> pieces;
  for (std::uint64_t at = 0; at < params.count; at += size) {
    Piece piece;
    TensorityParams own = params;
    own.first_nonce = params.first_nonce + at;
    own.count = std::min(size, params.count - at);
    piece.origin = {own.first_nonce, 0};
    piece.job.params = encode_tensority_params(own);
    seal_piece(whole, piece);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Result<Bytes> combine_tensority(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const TensorityParams params, decode_tensority_params(whole.params));
  std::vector<NonceReport> reports;
  for (const PieceAnswer& part : parts) {
    SPARKMILL_ASSIGN(NonceReport report, decode_nonce_report(part.answer));
    if (report.first != part.piece->origin[0]) {
      return fail(Status::bad_input, "tensority: an answer from nonce " + std::to_string(report.first) +
                                         " for the piece from nonce " + std::to_string(part.piece->origin[0]));
    }
    reports.push_back(std::move(report));
  }
  SPARKMILL_ASSIGN(const NonceReport merged, merge_reports(params.first_nonce, params.count, std::move(reports)));
  return encode_nonce_report(merged);
}

std::uint64_t least_hits(std::uint64_t count, const Hash32& share_target) {
  const double mean = static_cast<double>(count) * share_of(share_target);
  double below = 0;  // P(X < n)
  for (std::uint64_t n = 0;; ++n) {
    const auto x = static_cast<double>(n);
    below += std::exp(x * std::log(mean) - mean - std::lgamma(x + 1));
    if (below > kFalseAlarm || n >= count) return n;
  }
}

Hash32 share_target_for(std::uint64_t count, std::uint64_t expected, const Hash32& block_target) {
  Hash32 target;
  target.fill(0xff);
  if (expected < count) {
    __extension__ using Wide = unsigned __int128;
    Wide rest = expected;  // long division of expected * 2^256 by count, a byte at a time
    for (std::size_t k = target.size(); k-- > 0;) {
      rest <<= 8;
      target[k] = static_cast<std::uint8_t>(rest / count);
      rest %= count;
    }
  }
  return tensority::meets(block_target, target) ? target : block_target;
}

}  // namespace sparkmill::job

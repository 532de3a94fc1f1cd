// SPDX-License-Identifier: Apache-2.0
// Cutting a match.h job into jobs of their own, and their answers into one.
#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "verify/job/match_h.h"
#include "verify/job/match_tiles.h"
#include "verify/template/template_file.h"

namespace sparkmill::job {
namespace {

/// A side of the job cut into blocks of rows; for each block the hashes of its files, one a field.
struct Side {
  std::uint32_t rows = 0;
  std::uint32_t block = 0;  ///< rows a block, a multiple of the tile
  std::vector<std::vector<Hash32>> files;
  std::uint32_t blocks() const { return (rows + block - 1) / block; }
  std::uint32_t size(std::uint32_t b) const { return std::min(block, rows - b * block); }
};

Done cut_files(const Job& whole, BlobSource& blobs, std::size_t first_blob, const KeepBlob& keep, Side& side) {
  side.files.resize(side.blocks());
  for (std::size_t k = first_blob; k < whole.blobs.size(); k += 2) {
    SPARKMILL_ASSIGN(const Blob blob, blobs.get(whole.blobs[k]));
    SPARKMILL_ASSIGN(const templates::TemplateFile file, templates::parse(blob.bytes, "blob " + std::to_string(k)));
    const std::size_t row_bytes = file.header.n / 4;
    for (std::uint32_t b = 0; b < side.blocks(); ++b) {
      templates::Header header = file.header;
      header.rows = side.size(b);
      Bytes cut = templates::build(header, {file.planes.row(b * side.block), header.rows * row_bytes});
      side.files[b].push_back(sha256(cut));
      SPARKMILL_TRY(keep(std::move(cut)));
    }
  }
  return done();
}

std::string where(const Piece& piece) {
  return "the piece at (" + std::to_string(piece.origin[0]) + ", " + std::to_string(piece.origin[1]) + ")";
}

}  // namespace

Result<std::vector<Piece>> split_match_h(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                         const KeepBlob& keep) {
  SPARKMILL_ASSIGN(const auto work, open_match_h(whole, blobs, {}));  // checks every input
  SPARKMILL_ASSIGN(const MatchParams params, decode_match_params(whole.params));
  Side requests{params.requests, 0, {}};
  Side users{params.users, 0, {}};
  const std::uint32_t tile_rows = (params.requests + match::kTile - 1) / match::kTile;
  const std::uint32_t tile_columns = (params.users + match::kTile - 1) / match::kTile;
  const std::uint64_t tile_units = std::max<std::uint64_t>(1, work->units() / work->leaf_count());
  const std::uint64_t tiles = std::clamp<std::uint64_t>(target_units / tile_units, 1, work->leaf_count());
  const auto square = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(tiles)));
  const std::uint64_t columns =
      std::min<std::uint64_t>(tile_columns, tiles / std::min<std::uint64_t>(square, tile_rows));
  const std::uint64_t rows = std::min<std::uint64_t>(tile_rows, tiles / columns);
  requests.block = static_cast<std::uint32_t>(rows) * match::kTile;
  users.block = static_cast<std::uint32_t>(columns) * match::kTile;
  if (std::uint64_t{requests.blocks()} * users.blocks() > kMaxPieces) {
    return fail(Status::too_large, "match.h: more than " + std::to_string(kMaxPieces) + " pieces",
                "ask for larger units");
  }
  SPARKMILL_TRY(cut_files(whole, blobs, 0, keep, requests));
  SPARKMILL_TRY(cut_files(whole, blobs, 1, keep, users));
  std::vector<Piece> pieces;
  for (std::uint32_t r = 0; r < requests.blocks(); ++r) {
    for (std::uint32_t u = 0; u < users.blocks(); ++u) {
      Piece piece;
      piece.origin = {std::uint64_t{r} * requests.block, std::uint64_t{u} * users.block};
      piece.job.params = encode_match_params({requests.size(r), users.size(u), params.fields, params.predicate});
      for (std::size_t f = 0; f < params.fields; ++f) {
        piece.job.blobs.push_back(requests.files[r][f]);
        piece.job.blobs.push_back(users.files[u][f]);
      }
      seal_piece(whole, piece);
      pieces.push_back(std::move(piece));
    }
  }
  return pieces;
}

Result<Bytes> combine_match_h(const Job& whole, std::span<const PieceAnswer> parts) {
  SPARKMILL_ASSIGN(const MatchParams params, decode_match_params(whole.params));
  const Grid grid{params.requests, params.users, static_cast<std::uint32_t>(params.predicate.leaves().size()), 0};
  std::vector<bool> seen(grid.tiles());
  std::uint64_t covered = 0;
  std::vector<match::Pair> pairs;
  for (const PieceAnswer& part : parts) {
    const Piece& piece = *part.piece;
    SPARKMILL_ASSIGN(const MatchParams own, decode_match_params(piece.job.params));
    const auto aligned = [](std::uint64_t at, std::uint32_t count, std::uint32_t total) {
      return at % match::kTile == 0 && at < total && count <= total - at &&
             (count % match::kTile == 0 || at + count == total);
    };
    if (!aligned(piece.origin[0], own.requests, params.requests) ||
        !aligned(piece.origin[1], own.users, params.users)) {
      return fail(Status::bad_input, "match.h: " + where(piece) + " does not fit the job");
    }
    const Grid inner{own.requests, own.users, grid.leaves, 0};
    const std::uint64_t first_row = piece.origin[0] / match::kTile;
    const std::uint64_t first_column = piece.origin[1] / match::kTile;
    for (std::uint64_t t = 0; t < inner.tiles(); ++t, ++covered) {
      const std::uint64_t tile =
          (first_row + t / inner.tile_columns()) * grid.tile_columns() + first_column + t % inner.tile_columns();
      if (seen[tile]) return fail(Status::bad_input, "match.h: " + where(piece) + " overlaps another");
      seen[tile] = true;
    }
    SPARKMILL_ASSIGN(std::vector<match::Pair> found, decode_pairs(part.answer));
    if (!in_answer_order(inner, found)) {
      return fail(Status::bad_input, "match.h: the answer of " + where(piece) + " is not in order, or outside it");
    }
    for (match::Pair& p : found) {
      p.i += static_cast<std::uint32_t>(piece.origin[0]);
      p.j += static_cast<std::uint32_t>(piece.origin[1]);
    }
    if (pairs.size() + found.size() > kMaxAnswerPairs) {
      return fail(Status::too_large, "match.h: the job finds more than " + std::to_string(kMaxAnswerPairs) + " pairs",
                  "raise the predicate's thresholds");
    }
    pairs.insert(pairs.end(), found.begin(), found.end());
  }
  if (covered != grid.tiles()) {
    return fail(Status::bad_input, "match.h: " + std::to_string(grid.tiles() - covered) + " of " +
                                       std::to_string(grid.tiles()) + " tiles are in no piece");
  }
  std::sort(pairs.begin(), pairs.end(), [&grid](match::Pair a, match::Pair b) {
    const std::uint64_t ta = grid.tile_of(a);
    const std::uint64_t tb = grid.tile_of(b);
    return ta != tb ? ta < tb : a < b;
  });
  return encode_pairs(pairs);
}

}  // namespace sparkmill::job

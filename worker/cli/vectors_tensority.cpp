// SPDX-License-Identifier: Apache-2.0
// Vector files of the family `tensority`: hashes on every kernel row, stages by the oracle and by the seed stage that
// all rows use, and the chain's rules for targets and headers.
#include <algorithm>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/tensority/reference.h"
#include "kernels/tensority/tensority.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/header.h"
#include "worker/cli/vector_formats.h"

namespace sparkmill::cli {
namespace {

using Json = nlohmann::json;

struct HashCase {
  std::string name;
  Hash32 header_hash, seed, result;
  bool block = false;  ///< of the list block_headers
};

Result<Hash32> hash_of(const Json& j, const char* key) {
  return array_from_hex<32>(j.at(key).get_ref<const std::string&>(), key);
}

std::string name_of(const Json& j, const char* list, std::size_t index) {
  const std::string place = std::string(list) + " " + std::to_string(index);
  const auto note = j.find(j.contains("note") ? "note" : "source");
  return note == j.end() ? place : place + " (" + note->get<std::string>() + ")";
}

/// Calls `one` for each entry of a list; its errors and nlohmann's get the entry's place.
Done each(const Json& root, const char* list, const std::function<Done(const Json&, const std::string& name)>& one) {
  const Json& entries = root.at(list);
  for (std::size_t k = 0; k < entries.size(); ++k) {
    const std::string name = name_of(entries[k], list, k);
    Done done_one = done();
    try {
      done_one = one(entries[k], name);
    } catch (const Json::exception& e) {
      done_one = fail(Status::bad_input, e.what());
    }
    if (!done_one) return fail(Status::bad_input, name.substr(0, 80) + ": " + done_one.error().message);
  }
  return done();
}

Result<std::vector<HashCase>> hash_cases(const Json& root) {
  std::vector<HashCase> cases;
  for (const char* list : {"hash_vectors", "block_headers"}) {
    const bool block = list == std::string_view("block_headers");
    const char* result = block ? "tensority" : "expected_hash";
    if (!root.contains(list)) continue;
    SPARKMILL_TRY(each(root, list, [&](const Json& j, const std::string& name) -> Done {
      if (block && !j.contains(result)) return done();  // a header whose proof of work is not in the file
      HashCase c{name, {}, {}, {}, block};
      SPARKMILL_ASSIGN(c.header_hash, hash_of(j, "header_hash"));
      SPARKMILL_ASSIGN(c.seed, hash_of(j, "seed"));
      SPARKMILL_ASSIGN(c.result, hash_of(j, result));
      cases.push_back(std::move(c));
      return done();
    }));
  }
  std::stable_sort(cases.begin(), cases.end(), [](const HashCase& a, const HashCase& b) { return a.seed < b.seed; });
  return cases;
}

/// All cases on one kernel, a seed at a time. The oracle, a second a hash, leaves the blocks out unless it was asked
/// for.
VectorResult run_cases(kernels::Kernel& kernel, const std::string& name, std::span<const HashCase> cases, bool all) {
  VectorResult result{name, 0, 0, 0, {}};
  auto& row = dynamic_cast<tensority::Kernel&>(kernel);
  std::shared_ptr<const tensority::Epoch> epoch;
  for (const HashCase& c : cases) {
    if (c.block && !all) {
      ++result.skipped;
      continue;
    }
    Hash32 got{};
    Done hashed = done();
    if (epoch == nullptr || epoch->seed() != c.seed) {
      auto built = tensority::Epoch::build(c.seed);
      hashed = built ? done() : Done(built.error());
      if (built) epoch = std::move(*built);
    }
    if (hashed) hashed = row.hash(*epoch, {&c.header_hash, 1}, {&got, 1}, StopToken());
    count_case(result, c.name, !hashed ? hashed.error().message : got != c.result ? "hash differs" : "");
  }
  if (result.skipped != 0) {
    result.reason += std::string(result.reason.empty() ? "" : "; ") + "a second a hash: --backend reference runs all";
  }
  return result;
}

/// The oracle's stages, and the matrices that all other rows start from.
Done run_stages(const Json& root, VectorResult& oracle, VectorResult& epochs) {
  return each(root, "stage_vectors", [&](const Json& j, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const Hash32 header, hash_of(j, "header_hash"));
    SPARKMILL_ASSIGN(const Hash32 seed, hash_of(j, "seed"));
    for (const auto& stage : tensority::reference::trace(header, seed)) {
      const Json::json_pointer place(stage.name);
      if (!j.contains(place)) {
        ++oracle.skipped;
        oracle.reason = "not every stage is in the file";
        continue;
      }
      count_case(oracle, name + stage.name,
                 j.at(place).get_ref<const std::string&>() == stage.hex ? "" : "stage differs");
    }
    SPARKMILL_ASSIGN(const auto epoch, tensority::Epoch::build(seed));
    const auto list = epoch->matrices();
    const Hash32 digest = sha3_256({reinterpret_cast<const std::uint8_t*>(list.data()), list.size()});
    SPARKMILL_ASSIGN(const Hash32 expected, hash_of(j, "matrix_list_sha3"));
    count_case(epochs, name, digest == expected ? "" : "matrices differ");
    return done();
  });
}

Result<std::uint64_t> integer(const Json& j, const char* key, int base = 10) {
  const Json& value = j.at(key);
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  const std::string& text = value.get_ref<const std::string&>();
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Status::bad_input, std::string(key) + ": \"" + text.substr(0, 40) + "\" is not a number");
  }
  return n;
}

/// Decimal text of a little-endian number.
std::string decimal(Hash32 n) {
  std::string digits;
  while (n != Hash32{}) {
    unsigned rest = 0;
    std::for_each(n.rbegin(), n.rend(), [&](std::uint8_t& byte) {
      const unsigned v = rest << 8 | byte;
      byte = static_cast<std::uint8_t>(v / 10);
      rest = v % 10;
    });
    digits.push_back(static_cast<char>('0' + rest));
  }
  std::reverse(digits.begin(), digits.end());
  return digits.empty() ? "0" : digits;
}

std::string big_endian_hex(Hash32 n) {
  std::reverse(n.begin(), n.end());
  return to_hex(n);
}

void mark(std::string& wrong, bool is, const char* what) {
  if (is) wrong += (wrong.empty() ? "" : ", ") + std::string(what);
}

Done run_compare(const Json& root, VectorResult& out) {
  return each(root, "difficulty_compare", [&](const Json& j, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const std::uint64_t bits, integer(j, "bits_hex", 16));
    SPARKMILL_ASSIGN(const Hash32 hash, hash_of(j, "hash"));
    const chain::Target target = chain::target_from_bits(bits);
    std::string wrong;
    mark(wrong, chain::target_text(bits) != j.at("target_hex").get_ref<const std::string&>(), "target differs");
    mark(wrong, chain::meets(hash, target) != j.at("valid").get<bool>(), "verdict differs");
    mark(wrong, decimal(chain::work(target)) != j.at("work").get_ref<const std::string&>(), "work differs");
    count_case(out, name, wrong);
    return done();
  });
}

Done run_to_bits(const Json& root, VectorResult& out) {
  return each(root, "target_to_bits", [&](const Json& j, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const std::uint64_t bits, integer(j, "bits_hex", 16));
    SPARKMILL_ASSIGN(const std::uint64_t got,
                     chain::bits_from_target_text(j.at("target_hex").get_ref<const std::string&>()));
    count_case(out, name, got == bits ? "" : "bits differ");
    return done();
  });
}

/// Four bytes of a target as pools send them: what a miner compares with, and that they are the cut of the exact
/// target.
Done run_pool_targets(const Json& root, VectorResult& out) {
  return each(root, "pool_targets", [&](const Json& j, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const std::uint64_t difficulty, integer(j, "difficulty"));
    SPARKMILL_ASSIGN(const Bytes field, from_hex(j.at("target_field_from_2^256").get_ref<const std::string&>()));
    SPARKMILL_ASSIGN(const chain::Target sent, chain::target_from_top_bytes(field));
    Hash32 cut = chain::target_of_difficulty(difficulty).value;
    std::fill(cut.begin(), cut.end() - static_cast<std::ptrdiff_t>(field.size()), std::uint8_t{0});
    std::string wrong;
    mark(wrong, big_endian_hex(sent.value) != j.at("miner_threshold_hex").get_ref<const std::string&>(),
         "threshold differs");
    mark(wrong, sent.value != cut, "target of the difficulty differs");
    count_case(out, name, wrong);
    return done();
  });
}

Result<chain::BlockHeader> header_of(const Json& j) {
  chain::BlockHeader h;
  SPARKMILL_ASSIGN(h.version, integer(j, "version"));
  SPARKMILL_ASSIGN(h.height, integer(j, "height"));
  SPARKMILL_ASSIGN(h.previous, hash_of(j, "previous_block_hash"));
  SPARKMILL_ASSIGN(h.timestamp, integer(j, "timestamp"));
  SPARKMILL_ASSIGN(h.transaction_merkle_root, hash_of(j, "transaction_merkle_root"));
  SPARKMILL_ASSIGN(h.transaction_status_hash, hash_of(j, "transaction_status_hash"));
  SPARKMILL_ASSIGN(h.bits, integer(j, "bits"));
  SPARKMILL_ASSIGN(h.nonce, integer(j, "nonce"));
  return h;
}

Done run_headers(const Json& root, VectorResult& out) {
  return each(root, "block_headers", [&](const Json& j, const std::string& name) -> Done {
    SPARKMILL_ASSIGN(const chain::BlockHeader h, header_of(j));
    SPARKMILL_ASSIGN(const Hash32 expected, hash_of(j, "header_hash"));
    const auto differs = [&j](const char* key, ByteView bytes) {
      return j.contains(key) && j.at(key).get_ref<const std::string&>() != to_hex(bytes);
    };
    std::string wrong;
    mark(wrong, chain::header_hash(h) != expected, "header hash differs");
    mark(wrong, differs("hash_preimage_hex", chain::preimage(h)), "preimage differs");
    if (j.contains("serialized_hex")) {
      SPARKMILL_ASSIGN(const Bytes bytes, chain::serialise(h));
      const auto back = chain::header_from_hex(j.at("serialized_hex").get_ref<const std::string&>());
      mark(wrong, differs("serialized_hex", bytes), "serialised form differs");
      mark(wrong, !back || *back != h, "serialised form is read as another header");
    }
    if (j.contains("pow_valid") && j.contains("tensority")) {
      SPARKMILL_ASSIGN(const Hash32 result, hash_of(j, "tensority"));
      const bool valid = chain::meets(result, chain::target_from_bits(h.bits));
      mark(wrong, valid != j.at("pow_valid").get<bool>(), "verdict on the proof of work differs");
    }
    count_case(out, name, wrong);
    return done();
  });
}

/// Lists of a later format must not pass for tested.
VectorResult unknown_lists(const Json& root) {
  constexpr std::string_view kLists[] = {"hash_vectors",   "stage_vectors", "difficulty_compare",
                                         "target_to_bits", "pool_targets",  "block_headers"};
  VectorResult result{"other lists", 0, 0, 0, {}};
  for (const auto& [member, list] : root.items()) {
    if (!list.is_array() || std::find(std::begin(kLists), std::end(kLists), member) != std::end(kLists)) continue;
    result.skipped += static_cast<unsigned>(list.size());
    note(result, "\"" + member.substr(0, 40) + "\" is not known here");
  }
  return result;
}

}  // namespace

Result<std::vector<VectorResult>> run_tensority_vectors(const Json& root, const VectorContext& context) {
  SPARKMILL_ASSIGN(const std::vector<HashCase> cases, hash_cases(root));
  const bool reference_asked = !context.backend.empty();
  std::vector<VectorResult> results = on_rows(kernels::Family::tensority, context, static_cast<unsigned>(cases.size()),
                                              [&](kernels::Kernel& kernel, const std::string& name) {
                                                const bool all =
                                                    reference_asked || kernel.row_id() != "tensority/reference";
                                                return run_cases(kernel, name, cases, all);
                                              });
  VectorResult oracle{"stages, tensority/reference", 0, 0, 0, {}}, epochs{"matrices of a seed", 0, 0, 0, {}};
  SPARKMILL_TRY(run_stages(root, oracle, epochs));
  results.push_back(std::move(oracle));
  results.push_back(std::move(epochs));
  const std::pair<const char*, Done (*)(const Json&, VectorResult&)> rules[] = {{"difficulty_compare", run_compare},
                                                                                {"target_to_bits", run_to_bits},
                                                                                {"pool_targets", run_pool_targets},
                                                                                {"block_headers", run_headers}};
  for (const auto& [list, run] : rules) {
    if (!root.contains(list)) continue;
    VectorResult result{std::string("chain rules, ") + list, 0, 0, 0, {}};
    SPARKMILL_TRY(run(root, result));
    results.push_back(std::move(result));
  }
  if (VectorResult others = unknown_lists(root); others.skipped != 0) results.push_back(std::move(others));
  return results;
}

}  // namespace sparkmill::cli

// SPDX-License-Identifier: Apache-2.0
// What was planted in a kind's jobs, against the answers.
#include "node/jobs/maker.h"
#include "verify/job/block_plants.h"
#include "verify/job/match_h.h"
#include "verify/job/plants.h"
#include "verify/job/ringers.h"
#include "verify/job/verify_batch.h"

namespace sparkmill::node {
namespace {

Error unknown(const job::Work& work) {
  return fail(Status::unsupported,
              "no secrets are kept for jobs of kind " + std::to_string(static_cast<unsigned>(work.job().kind)));
}

}  // namespace

Result<job::Finding> check_secrets(const job::Work& work, ByteView secrets, ByteView answer) {
  switch (work.job().kind) {
    case job::Kind::match_h: {
      SPARKMILL_ASSIGN(const job::Ringers ringers, job::decode_ringers(secrets));
      return job::check_ringers(ringers, answer);
    }
    case job::Kind::verify_batch: {
      SPARKMILL_ASSIGN(const job::Plants plants, job::decode_plants(secrets));
      return job::check_plants(plants, answer);
    }
    case job::Kind::verify_blocks: {
      SPARKMILL_ASSIGN(const job::BlockPlants plants, job::decode_block_plants(secrets));
      return job::check_plants(plants, answer);
    }
    default: return unknown(work);
  }
}

Result<Bytes> task_answer(const job::Work& work, ByteView secrets, ByteView answer) {
  switch (work.job().kind) {
    case job::Kind::match_h: {
      SPARKMILL_ASSIGN(const job::Ringers ringers, job::decode_ringers(secrets));
      SPARKMILL_ASSIGN(const auto pairs, job::final_pairs(work, answer, ringers));
      return job::encode_pairs(pairs);
    }
    case job::Kind::verify_batch: {
      SPARKMILL_ASSIGN(const job::Plants plants, job::decode_plants(secrets));
      return job::strip_plants(plants, answer);
    }
    case job::Kind::verify_blocks: {
      SPARKMILL_ASSIGN(const job::BlockPlants plants, job::decode_block_plants(secrets));
      return job::strip_plants(plants, answer);
    }
    default: return unknown(work);
  }
}

std::string caveat(const job::Work& work) {
  return work.job().kind == job::Kind::verify_batch || work.job().kind == job::Kind::verify_blocks
             ? "a verdict \"valid\" is a paid computation that no quorum has confirmed"
             : "";
}

}  // namespace sparkmill::node

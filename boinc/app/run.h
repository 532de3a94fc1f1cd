// SPDX-License-Identifier: Apache-2.0
// One work unit from its files to the result file: the same kernels, checks and proofs as in the worker.
// Source: BOINC page 3; jobs and proofs 6, 8.
#pragma once

#include "boinc/app/client.h"

namespace sparkmill::boinc::app {

struct Options {
  std::string plan;           ///< see device.h
  unsigned threads = 1;       ///< lanes on a CPU; more for the plan class mt
  unsigned checkpoint_s = 0;  ///< besides when the client asks; 0: only then
  std::filesystem::path key;  ///< key file; empty: in the project's folder, or here without a client
  std::string result_name;    ///< without a client; empty: the unit's first
};

enum class End {
  finished,  ///< the result file is written
  quit,      ///< the client wants us gone; a checkpoint is written
  aborted,
};

/// Computes the unit, or goes on from its checkpoint: the result's bytes depend on unit, result name, key and statement
/// alone. Obeys suspend, quit and abort within a slice's stop time (kernels poll their stop token, on devices between
/// launches). Prints short notes to stderr. Errors: no_device, no_space, io_error (worth another try later); all others
/// are final.
Result<End> run_unit(Client& client, const Options& options);

}  // namespace sparkmill::boinc::app

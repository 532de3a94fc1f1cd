// SPDX-License-Identifier: Apache-2.0
// Blobs of the job kind `verify.blocks` in `sparkmill verify-blocks`: made from blocks or evidence (--pack), and judged
// as a job, with a proof if asked for.
#pragma once

#include "worker/cli/args.h"
#include "worker/cli/input.h"

namespace sparkmill::cli {

/// True when the input begins as a blob does.
Result<bool> looks_like_blob(Input& input);
/// Writes what `input` has (Bytom blocks, or JSON lines of BTTC or BTN) to the file of --pack. Returns exit code 0.
/// Errors: bad_input naming line and field: all or nothing.
Result<int> pack_blocks(const Args& args, Input& input, bool json);
/// Judges the blob; a JSON line an item. Returns 0, or 11 when one is not valid. --proof FILE writes a proof.
Result<int> verify_block_job(const Args& args, Input& input, const StopToken& stop);

}  // namespace sparkmill::cli

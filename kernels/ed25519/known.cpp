// SPDX-License-Identifier: Apache-2.0
// Access to the known answers.
#include "kernels/ed25519/known.h"

#include "kernels/ed25519/vectors.h"

namespace sparkmill::ed25519 {

std::span<const KnownAnswer> known_answers() { return kKnownAnswers; }

}  // namespace sparkmill::ed25519

// SPDX-License-Identifier: Apache-2.0
// Access to the known answers.
#include "kernels/tensority/known.h"

#include "kernels/tensority/vectors.h"

namespace sparkmill::tensority {

const Hash32& known_seed() { return kKnownSeed; }
std::span<const KnownAnswer> known_answers() { return kKnownAnswers; }

}  // namespace sparkmill::tensority
